/*
 * A guest that sleeps for long: timer 0 ticks on and is masked. A byte on COM1 wakes it, and the clock's alarm at each
 * full minute. It ends when it was woken three times.
 */
        .set    MAGIC, 0x1badb002
        .section .multiboot, "a"
        .align  4
        .long   MAGIC, 0, -MAGIC

        .macro  outbyte port, value
        movw    $\port, %dx
        movb    $\value, %al
        outb    %al, %dx
        .endm

        .text
        .code32
        .globl  start
start:
        movl    $stack_top, %esp
        lgdt    gdt_pointer
        ljmp    $8, $1f
1:      movl    $16, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        movl    $on_serial, %eax        /* a gate for IRQ 4 */
        movw    %ax, idt + 0x24 * 8
        movw    %cs, idt + 0x24 * 8 + 2
        movw    $0x8e00, idt + 0x24 * 8 + 4
        shrl    $16, %eax
        movw    %ax, idt + 0x24 * 8 + 6
        movl    $on_alarm, %eax         /* and one for IRQ 8 */
        movw    %ax, idt + 0x28 * 8
        movw    %cs, idt + 0x28 * 8 + 2
        movw    $0x8e00, idt + 0x28 * 8 + 4
        shrl    $16, %eax
        movw    %ax, idt + 0x28 * 8 + 6
        lidt    idt_pointer
        outbyte 0x20, 0x11              /* both controllers: vectors from 0x20, all but IRQ 2, 4 and 8 masked */
        outbyte 0x21, 0x20
        outbyte 0x21, 0x04
        outbyte 0x21, 0x01
        outbyte 0xa0, 0x11
        outbyte 0xa1, 0x28
        outbyte 0xa1, 0x02
        outbyte 0xa1, 0x01
        outbyte 0x21, 0xeb
        outbyte 0xa1, 0xfe
        outbyte 0x43, 0x34              /* timer 0: rate generator, 596 times a second */
        outbyte 0x40, 0xd0
        outbyte 0x40, 0x07
        outbyte 0x70, 0x01              /* alarm: second 0 of any minute of any hour */
        outbyte 0x71, 0x00
        outbyte 0x70, 0x03
        outbyte 0x71, 0xc0
        outbyte 0x70, 0x05
        outbyte 0x71, 0xc0
        outbyte 0x70, 0x0b              /* its interrupt; 24 hours */
        outbyte 0x71, 0x22
        outbyte 0x70, 0x0c
        inb     $0x71, %al
        outbyte 0x3fc, 0x0b             /* DTR, RTS, OUT2 */
        outbyte 0x3f9, 0x01             /* interrupts for received bytes */
        .globl  sleeps
sleeps:
        sti
        hlt
        cmpl    $3, woken
        jb      sleeps
        movw    $0xf4, %dx              /* isa-debug-exit */
        xorl    %eax, %eax
        outl    %eax, %dx
1:      hlt
        jmp     1b

        .globl  on_serial
on_serial:
        pushl   %eax
        pushl   %edx
        movw    $0x3f8, %dx
        inb     %dx, %al
        incl    woken
        outbyte 0x20, 0x20
        popl    %edx
        popl    %eax
        iretl

        .globl  on_alarm
on_alarm:
        pushl   %eax
        pushl   %edx
        outbyte 0x70, 0x0c
        inb     $0x71, %al
        incl    woken
        outbyte 0xa0, 0x20
        outbyte 0x20, 0x20
        popl    %edx
        popl    %eax
        iretl

        .section .rodata
        .align  8
gdt:    .quad   0, 0x00cf9a000000ffff, 0x00cf92000000ffff
gdt_pointer:
        .word   gdt_pointer - gdt - 1
        .long   gdt
idt_pointer:
        .word   0x29 * 8 - 1
        .long   idt

        .bss
        .globl  woken
        .align  8
woken:  .skip   4
        .align  8
idt:    .skip   0x29 * 8
        .skip   4096
stack_top:
