/*
 * Writes to port 0x2e0 what it reads there, up to a new line; ends with status 0x21.
 */
        .include "start.inc"
        .text
program:
        mov $0x2e0, %dx
1:      in %dx, %al
        test %al, %al
        jz 1b
        out %al, %dx
        cmp $'\n', %al
        jne 1b
        ret
