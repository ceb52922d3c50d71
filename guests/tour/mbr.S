/*
 * The boot record of disk.img: reads the program in the sectors behind it by INT 13h, goes to protected mode and enters
 * it as a Multiboot loader does (Multiboot 0.6.96, 3.2): its segments at their addresses, EAX the magic, EBX the
 * information, which has a command line and nothing else.
 */
        .set IMAGE, 0x10000
        .set SECTORS, 127
        .set BOOK, 128

        .code16
        .globl _start
_start:
        ljmp $0, $1f
1:      xor %ax, %ax
        mov %ax, %ds
        mov %ax, %ss
        mov $0x7c00, %sp
        mov $packet, %si
        mov $0x42, %ah                  /* DL is still the drive the BIOS started from */
        int $0x13
        jc failed
        cli
        cld
        lgdt gdt_pointer
        mov %cr0, %eax
        or $1, %eax
        mov %eax, %cr0
        ljmp $0x08, $enter

failed: mov $sentence, %si
1:      lodsb
        test %al, %al
        jz 2f
        mov $0x0e, %ah
        xor %bx, %bx
        int $0x10
        jmp 1b
2:      hlt
        jmp 2b

        .code32
enter:  mov $0x10, %ax
        mov %ax, %ds
        mov %ax, %es
        mov %ax, %ss
        mov $IMAGE, %ebx
        mov %ebx, %ebp
        add 28(%ebx), %ebp              /* e_phoff */
        movzwl 44(%ebx), %edx           /* e_phnum */
1:      cmpl $1, (%ebp)                 /* PT_LOAD */
        jne 2f
        mov 4(%ebp), %esi               /* p_offset */
        add %ebx, %esi
        mov 12(%ebp), %edi              /* p_paddr */
        mov 16(%ebp), %ecx              /* p_filesz */
        rep movsb
        mov 20(%ebp), %ecx              /* p_memsz */
        sub 16(%ebp), %ecx
        xor %eax, %eax
        rep stosb
2:      add $32, %ebp
        dec %edx
        jnz 1b
        mov 24(%ebx), %ecx              /* e_entry */
        mov $0x2badb002, %eax
        mov $information, %ebx
        jmp *%ecx

        .align 4
packet: .word 16, SECTORS
        .word 0, IMAGE >> 4
        .quad 1
information:
        .long 4, 0, 0, 0, command_line  /* flags: a command line */
command_line:
        .asciz "tour"
sentence:
        .asciz "The disk could not be read."
        .align 8
gdt:    .quad 0
        .quad 0x00cf9b000000ffff
        .quad 0x00cf93000000ffff
gdt_pointer:
        .word 23
        .long gdt

        .org 446                        /* one partition, of data no file system has */
        .byte 0x80, 0, 0, 0, 0xda, 0, 0, 0
        .long BOOK, BOOK
        .org 510
        .word 0xaa55
