/*
 * Waits for an NMI, then writes a byte to each of 200 pages 12 KiB apart from 4 MiB on and four bytes across the edge of
 * a page at 8 MiB, reads 100 pages from 10 MiB on, copies a register of edu in slot 2 to 13 MiB, and has edu write 4095
 * bytes across another edge by DMA. All but 13 MiB lie in 2 MiB that were written before. With the next NMI it writes
 * once more and ends.
 */
        .include "start.inc"
        .text
program:
        mov $awake, %eax
        mov $2, %ecx
        call gate
        movl $0x400, APIC + 0x360       /* LINT1: NMI */
        movb $1, 0x400000
        movb $1, 0x600000
        movb $1, 0x800000
        movb $1, 0xa00000
        movb $1, 0xc00fff
        movb $1, 0xc01000
        hlt
        mov $0x400000, %edi
        mov $200, %ecx
1:      movb $2, 0x123(%edi)
        add $0x3000, %edi
        loop 1b
        movl $0x04030201, 0x800ffe
        mov $0xa00000, %esi
        mov $100, %ecx
1:      mov (%esi), %al
        add $0x1000, %esi
        loop 1b
        mov $BAR0, %esi                 /* what KVM emulates writes, too */
        mov $0xd00000, %edi
        movsl
        movl $0x40000, BAR0 + 0x80      /* from edu's buffer */
        movl $0xc00800, BAR0 + 0x88
        movl $0xfff, BAR0 + 0x90
        movl $3, BAR0 + 0x98            /* go, to memory */
        hlt
        movb $3, 0x400000
        ret

awake:  iret
