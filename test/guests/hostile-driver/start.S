/*
 * Multiboot 1 entry in 32-bit protected mode. Every interrupt leads to on_interrupt, every fault to the end of the run
 * by isa-debug-exit at 0xf4.
 */
        .set MAGIC, 0x1badb002

        .text
        .code32
        .align 4
        .long MAGIC, 0, -MAGIC
        .globl start, finish
start:  cli
        mov $stack, %esp
        lgdt gdt_pointer
        ljmp $8, $1f
1:      mov $16, %eax
        mov %eax, %ds
        mov %eax, %es
        mov %eax, %ss
        xor %ecx, %ecx
2:      mov $finish, %eax
        cmp $32, %ecx
        jb 3f
        mov $interrupted, %eax
3:      lea idt(,%ecx,8), %edx
        movw %ax, (%edx)
        movl $0x8e000008, 2(%edx)
        movw $0x8e00, 4(%edx)
        shr $16, %eax
        movw %ax, 6(%edx)
        inc %ecx
        cmp $256, %ecx
        jb 2b
        lidt idt_pointer
        call drive
finish: mov $0x10, %al
        out %al, $0xf4
1:      hlt
        jmp 1b

interrupted:
        pusha
        cld
        call on_interrupt
        popa
        iret

        .data
        .align 8
gdt:    .quad 0, 0x00cf9a000000ffff, 0x00cf92000000ffff
gdt_pointer:
        .word 23
        .long gdt
idt_pointer:
        .word 0x7ff
        .long idt
        .bss
        .align 8
idt:    .skip 0x800
        .skip 0x2000
stack:
