/*
 * Entry of the tour: Multiboot 1 header, 32-bit protected mode to long mode, the interrupt stubs
 * and the code with which further processors start.
 */
        .set MAGIC, 0x1badb002
        .set FLAGS, 0
        .set AP_PAGE, 0x8000

        .section .multiboot, "a"
        .align 4
        .long MAGIC, FLAGS, -(MAGIC + FLAGS)

        .section .text
        .code32
        .globl start
start:
        cli
        cld
        mov $boot_stack_top, %esp
        mov %ebx, multiboot_info
        call enter_long_mode
        ljmp $0x08, $bsp64

/* PAE, EFER.LME|NXE|SCE, paging and write protection; leaves us in compatibility mode. */
enter_long_mode:
        lgdt gdt_pointer
        mov %cr4, %eax
        or $0x620, %eax                 /* PAE, OSFXSR, OSXMMEXCPT */
        mov %eax, %cr4
        mov $pml4, %eax
        mov %eax, %cr3
        mov $0xc0000080, %ecx
        rdmsr
        or $0x901, %eax
        wrmsr
        mov %cr0, %eax
        and $~0x60000004, %eax          /* caches on, no x87 emulation */
        or $0x80010023, %eax            /* PG, WP, NE, MP, PE */
        mov %eax, %cr0
        mov $0x10, %ax
        mov %ax, %ds
        mov %ax, %es
        mov %ax, %ss
        ret

        .code64
bsp64:
        xor %eax, %eax
        mov %ax, %fs
        mov %ax, %gs
        mov $boot_stack_top, %rsp
        fninit
        call tour
1:      cli
        hlt
        jmp 1b

ap64:
        mov $1, %eax
        lock xaddl %eax, processors_started(%rip)
        inc %eax                        /* the first AP is number 1 */
        mov %eax, %edi
        shl $12, %eax
        lea ap_stacks(%rip), %rsp
        add %rax, %rsp
        fninit
        call processor
1:      cli
        hlt
        jmp 1b

/* One stub per vector: vectors 8, 10-14, 17 and 21 come with an error code. */
        .globl stubs
        .set vector, 0
        .align 16
stubs:
        .rept 256
        .align 16
        .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21)
        pushq $0
        .endif
        pushq $vector
        jmp save
        .set vector, vector + 1
        .endr

save:
        push %rax; push %rcx; push %rdx; push %rbx; push %rbp; push %rsi; push %rdi
        push %r8; push %r9; push %r10; push %r11; push %r12; push %r13; push %r14; push %r15
        mov %rsp, %rdi
        cld
        call interrupted
        pop %r15; pop %r14; pop %r13; pop %r12; pop %r11; pop %r10; pop %r9; pop %r8
        pop %rdi; pop %rsi; pop %rbp; pop %rbx; pop %rdx; pop %rcx; pop %rax
        add $16, %rsp
        iretq

/* Copied to AP_PAGE: what a processor runs after SIPI. */
        .code16
        .globl ap_start, ap_end
ap_start:
        cli
        xor %ax, %ax
        mov %ax, %ds
        lgdtl AP_PAGE + (ap_gdt_pointer - ap_start)
        mov %cr0, %eax
        or $1, %eax
        mov %eax, %cr0
        ljmpl $0x18, $ap32
ap_gdt_pointer:
        .word gdt_end - gdt - 1
        .long gdt
ap_end:

        .code32
ap32:
        mov $0x10, %ax
        mov %ax, %ds
        mov %ax, %es
        mov %ax, %ss
        mov $ap_boot_stack_top, %esp    /* one word deep, the same word for all: only a return address */
        call enter_long_mode
        ljmp $0x08, $ap64

        .section .data
        .align 16
gdt:
        .quad 0
        .quad 0x00af9b000000ffff        /* 08: 64-bit code */
        .quad 0x00cf93000000ffff        /* 10: data */
        .quad 0x00cf9b000000ffff        /* 18: 32-bit code */
gdt_end:
gdt_pointer:
        .word gdt_end - gdt - 1
        .long gdt
        .globl multiboot_info, processors_started
multiboot_info: .long 0
processors_started: .long 0

/* An identity map of 4 GiB in 2 MiB pages. The page at 1 GiB is left out on purpose. */
        .align 4096
pml4:   .quad pdpt + 3
        .fill 511, 8, 0
pdpt:   .quad pd + 0x0003, pd + 0x1003, pd + 0x2003, pd + 0x3003
        .fill 508, 8, 0
        .set address, 0
        .globl pd
pd:     .rept 2048
        .if address == 0x40000000
        .quad 0
        .else
        .quad address + 0x83
        .endif
        .set address, address + 0x200000
        .endr

        .section .bss
        .align 4096
        .skip 16384
boot_stack_top:
        .skip 16
ap_boot_stack_top:
        .align 4096
        .globl ap_stacks
ap_stacks:
        .skip 4096 * 17
