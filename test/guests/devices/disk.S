/* What disk.c begins with: start.inc's entry, and the handler of its vector. */
        .include "start.inc"
        .globl config, print
        .text
program:
        push %ebx
        mov $done, %eax
        mov $0x50, %ecx
        call gate
        call disk
        pop %ebx
        ret

done:   movl $0, APIC + 0xb0
        iret
