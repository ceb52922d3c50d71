/*
 * A function with MSI-X in BAR 1 whose register 0 raises the vector that is written to it. Vector 1 goes out at once
 * (`1`), vector 0 only when its mask is taken away (`u0`), then both after the function's (`f01`, the higher vector
 * first). Ends with a new line and status 0x21.
 */
        .include "start.inc"
        .text
program:
        mov $zero, %eax
        mov $0x50, %ecx
        call gate
        mov $one, %eax
        mov $0x51, %ecx
        call gate
        movl $0xfee00000, BAR1          /* vectors 0x50 and 0x51, to local APIC 0 */
        movl $0, BAR1 + 4
        movl $0x50, BAR1 + 8
        movl $0xfee00000, BAR1 + 16
        movl $0, BAR1 + 20
        movl $0x51, BAR1 + 24
        movl $0, BAR1 + 28
        mov $0x80000000, %eax           /* on */
        mov $0x40, %ecx
        call config
        movl $1, BAR0
        sti
        nop
        cli
        movl $0, BAR0                   /* waits: its entry is masked since reset */
        sti
        nop
        cli
        mov $'u', %al
        call print
        movl $0, BAR1 + 12
        sti
        nop
        cli
        mov $0xc0000000, %eax           /* all masked */
        mov $0x40, %ecx
        call config
        movl $1, BAR0
        movl $0, BAR0
        sti
        nop
        cli
        mov $'f', %al
        call print
        mov $0x80000000, %eax
        mov $0x40, %ecx
        call config
        sti
        nop
        nop
        cli
        mov $'\n', %al
        jmp print

zero:   push %eax
        mov $'0', %al
        jmp 1f
one:    push %eax
        mov $'1', %al
1:      call print
        movl $0, APIC + 0xb0
        pop %eax
        iret
