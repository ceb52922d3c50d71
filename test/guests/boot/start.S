/*
 * Multiboot 1 entry in 32-bit protected mode, or with PVH the entry that a note names; and a way to real mode and back:
 * real() copies the code between `real_code` and `real_end` to REAL, goes there with interrupts as the BIOS left them,
 * and comes back when two ticks have passed.
 */
        .set MAGIC, 0x1badb002
        .set REAL, 0x7000
        .set TICKS, 0x46c

        .section .head, "ax"
        .code32
        .align 4
        .ifndef PVH
        .long MAGIC, 0, -MAGIC
        .else
        .section .note.pvh, "a", @note
        .long 4, 4, 18
        .asciz "Xen"
        .long start
        .section .head, "ax"
        .endif
        .globl start
start:  cli
        mov $stack, %esp
        lgdt gdt_pointer
        ljmp $8, $1f
1:      mov $16, %ecx
        mov %ecx, %ds
        mov %ecx, %es
        mov %ecx, %ss
        push %ebx
        push %eax
        call main
        mov $0x10, %al
        out %al, $0xf4
1:      hlt
        jmp 1b

        .text
        .globl real
real:   pusha
        cld
        mov $real_code, %esi
        mov $REAL, %edi
        mov $real_end - real_code, %ecx
        rep movsb
        mov %esp, saved_stack
        lidt real_idt
        ljmp $24, $REAL
back:   mov $16, %eax
        mov %eax, %ds
        mov %eax, %es
        mov %eax, %ss
        mov saved_stack, %esp
        popa
        ret

        .code16
real_code:
        mov $32, %ax
        mov %ax, %ds
        mov %ax, %ss
        mov %cr0, %eax
        and $~1, %al
        mov %eax, %cr0
        ljmp $0, $REAL + 1f - real_code
1:      xor %ax, %ax
        mov %ax, %ds
        mov %ax, %ss
        mov $REAL, %sp
        int $0x03
        int $0x1c
        int $0x23
        int $0xff
        mov TICKS, %bx
        sti
2:      hlt
        mov TICKS, %ax
        sub %bx, %ax
        cmp $2, %ax
        jb 2b
        cli
        mov %cr0, %eax
        or $1, %al
        mov %eax, %cr0
        ljmpl $8, $back
real_end:

        .data
        .align 8
gdt:    .quad 0, 0x00cf9a000000ffff, 0x00cf92000000ffff, 0x00009a000000ffff, 0x000092000000ffff
gdt_pointer:
        .word 39
        .long gdt
real_idt:
        .word 0x3ff
        .long 0
        .bss
        .align 16
saved_stack:
        .skip 4
        .skip 0x2000
stack:
