/* Multiboot entry: 32-bit protected mode to 64-bit code with the first GiB mapped, then main(). */
        .set    MAGIC, 0x1badb002
        .section .multiboot, "a"
        .align  4
        .long   MAGIC, 0, -MAGIC

        .text
        .code32
        .globl  start
start:
        movl    $stack_top, %esp
        movl    $pdpt + 3, pml4
        movl    $pd + 3, pdpt
        movl    $pd, %edi
        movl    $0x83, %eax             /* present, writable, 2 MiB */
1:      movl    %eax, (%edi)
        addl    $8, %edi
        addl    $0x200000, %eax
        cmpl    $pd + 4096, %edi
        jb      1b
        movl    $pml4, %eax
        movl    %eax, %cr3
        movl    %cr4, %eax
        orl     $0x20, %eax             /* PAE */
        movl    %eax, %cr4
        movl    $0xc0000080, %ecx       /* EFER */
        rdmsr
        orl     $0x100, %eax            /* LME */
        wrmsr
        movl    %cr0, %eax
        orl     $0x80000000, %eax       /* PG */
        movl    %eax, %cr0
        lgdt    gdt_pointer
        ljmp    $8, $long_mode

        .code64
        .type   long_mode, @function
long_mode:
        .cfi_startproc
        .cfi_undefined rip
        movl    $16, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        xorl    %ebp, %ebp
        call    main
        movw    $0xf4, %dx              /* isa-debug-exit */
        xorl    %eax, %eax
        outl    %eax, %dx
2:      hlt
        jmp     2b
        .cfi_endproc
        .size   long_mode, . - long_mode

/* The frame that the processor pushes is all there is to find the caller by. */
        .globl  timer_entry
        .type   timer_entry, @function
timer_entry:
        .cfi_startproc simple
        .cfi_signal_frame
        .cfi_def_cfa rsp, 40
        .cfi_offset rip, -40
        .cfi_offset rsp, -16
        .irp    register, rax, rcx, rdx, rsi, rdi, r8, r9, r10, r11
        pushq   %\register
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset \register, 0
        .endr
        cld
        call    on_timer
        .irp    register, r11, r10, r9, r8, rdi, rsi, rdx, rcx, rax
        popq    %\register
        .cfi_adjust_cfa_offset -8
        .cfi_restore \register
        .endr
        iretq
        .cfi_endproc
        .size   timer_entry, . - timer_entry

/* mark(place): remember where it returns to; escape(place): return there once more, with 1. */
        .globl  mark, escape
        .type   mark, @function
mark:
        .cfi_startproc
        movq    (%rsp), %rax
        movq    %rax, (%rdi)
        leaq    8(%rsp), %rax
        movq    %rax, 8(%rdi)
        movq    %rbx, 16(%rdi)
        movq    %rbp, 24(%rdi)
        movq    %r12, 32(%rdi)
        movq    %r13, 40(%rdi)
        movq    %r14, 48(%rdi)
        movq    %r15, 56(%rdi)
        xorl    %eax, %eax
        ret
        .cfi_endproc
        .size   mark, . - mark
        .type   escape, @function
escape:
        .cfi_startproc
        movq    16(%rdi), %rbx
        movq    24(%rdi), %rbp
        movq    32(%rdi), %r12
        movq    40(%rdi), %r13
        movq    48(%rdi), %r14
        movq    56(%rdi), %r15
        movq    (%rdi), %rdx
        .cfi_register rip, rdx
        movq    8(%rdi), %rsp
        .cfi_def_cfa rsp, 0
        movl    $1, %eax
        jmp     *%rdx
        .cfi_endproc
        .size   escape, . - escape

        .section .rodata
        .align  8
gdt:    .quad   0, 0x00af9a000000ffff, 0x00cf92000000ffff
gdt_pointer:
        .word   gdt_pointer - gdt - 1
        .long   gdt

        .bss
        .align  4096
pml4:   .skip   4096
pdpt:   .skip   4096
pd:     .skip   4096
        .skip   16384
stack_top:
