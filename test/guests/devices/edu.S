/*
 * Takes the edu device's interrupt by its pin (`i`), then by a message (`m`), and moves a word out and back by DMA.
 * Prints `ix` (5! is the letter x), `mx`, `mmok` and a new line; ends with status 0x21.
 */
        .include "start.inc"
        .text
program:
        mov $0x60, %ecx                 /* PIRQA-D to irq 11, which is a level */
        mov $0x0b0b0b0b, %ebx
        mov $BRIDGE + 0x60, %eax
        mov $0xcf8, %dx
        out %eax, %dx
        mov %ebx, %eax
        mov $0xcfc, %dx
        out %eax, %dx
        mov $0x4d1, %dx
        mov $8, %al
        out %al, %dx
        mov $0xfb, %al                  /* the slave, and its line 3 */
        out %al, $0x21
        mov $0xf7, %al
        out %al, $0xa1
        mov $by_pin, %eax
        mov $0x73, %ecx
        call gate
        mov $by_message, %eax
        mov $0x51, %ecx
        call gate
        call factorial

        mov $0xfee00000, %eax           /* MSI: to local APIC 0, vector 0x51 */
        mov $0x44, %ecx
        call config
        mov $0x51, %eax
        mov $0x4c, %ecx
        call config
        mov $0x10000, %eax
        mov $0x40, %ecx
        call config
        call factorial

        movl $sent, BAR0 + 0x80
        movl $0x40000, BAR0 + 0x88
        movl $4, BAR0 + 0x90
        movl $5, BAR0 + 0x98            /* to the device, with an interrupt */
        call wait
        movl $0x40000, BAR0 + 0x80
        movl $back, BAR0 + 0x88
        movl $7, BAR0 + 0x98            /* to RAM */
        call wait
        mov $back, %esi
        mov $3, %ecx
1:      lodsb
        call print
        loop 1b
        ret

/* Have the device compute 5!, wait for its interrupt and print the low byte. */
factorial:
        movl $0x80, BAR0 + 0x20
        movl $5, BAR0 + 0x08
        call wait
        mov BAR0 + 0x08, %eax
        jmp print

wait:   movl $0, taken
1:      cli
        cmpl $0, taken
        jne 2f
        sti
        hlt
        jmp 1b
2:      ret

acknowledge:
        mov BAR0 + 0x24, %eax
        mov %eax, BAR0 + 0x64
        movl $1, taken
        ret

by_pin: pusha
        mov $'i', %al
        call print
        call acknowledge
        mov $0x20, %al
        out %al, $0xa0
        out %al, $0x20
        popa
        iret

by_message:
        pusha
        mov $'m', %al
        call print
        call acknowledge
        movl $0, APIC + 0xb0
        popa
        iret

        .data
        .align 4
sent:   .ascii "ok\n\0"
back:   .long 0
taken:  .long 0
