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
        movl    %ebx, boot_info
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
long_mode:
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

        .globl  on_timer
        .type   on_timer, @function
on_timer:
        pushq   %rax
        incq    timer_count
        movb    $0x20, %al
        outb    %al, $0x20              /* end of interrupt */
        popq    %rax
        iretq
        .size   on_timer, . - on_timer

        .section .rodata
        .align  8
gdt:    .quad   0, 0x00af9a000000ffff, 0x00cf92000000ffff
gdt_pointer:
        .word   gdt_pointer - gdt - 1
        .long   gdt

        .bss
        .globl  boot_info
        .align  4096
pml4:   .skip   4096
pdpt:   .skip   4096
pd:     .skip   4096
        .skip   16384
stack_top:
boot_info:
        .skip   4
