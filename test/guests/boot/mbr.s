# A boot sector: asks the firmware by INT 13h for the drive it came from, tells COM1 what it hears, and ends the run.
.code16
.globl _start
.set COM1, 0x3f8
.set BUFFER, 0x8000
.set WORDS, 0x900

_start:
  ljmp $0, $begin
begin:
  cli
  xor %ax, %ax
  mov %ax, %ds
  mov %ax, %es
  mov %ax, %ss
  mov $0x7c00, %sp
  sti
  cld
  mov %dl, drive

  call tell
  .asciz "drive "
  movzbw drive, %ax
  call hex

  call tell
  .asciz "\ngeometry "
  xor %di, %di
  mov $0x08, %ah
  call disk
  push %dx
  mov %cx, %ax
  call hex
  pop %ax
  call hex

  call tell
  .asciz "\nextensions "
  mov $0x41, %ah
  mov $0x55aa, %bx
  call disk
  push %cx
  mov %bx, %ax
  call hex
  pop %ax
  call hex

  call tell
  .asciz "\nparameters "
  movw $0x1e, BUFFER
  mov $BUFFER, %si
  mov $0x48, %ah
  call disk
  mov $BUFFER, %si
  mov $15, %cx
1:
  lodsw
  call hex
  loop 1b

  call tell
  .asciz "\nCHS "
  mov $0x0209, %ax
  mov $0x0004, %cx
  call disk_at_buffer
  call sum

  call tell
  .asciz "\nLBA "
  call read
  call tell
  .asciz "\nend "
  movw $0x1fff, packet + 8
  call read
  call tell
  .asciz "\nbeyond "
  incw packet + 8
  call read

  call tell
  .asciz "\nwrite "
  movw $2000, packet + 8
  mov $BUFFER, %di
  mov $WORDS, %cx
  mov $0x5aa5, %ax
  rep stosw
  mov $0x4300, %ax
  mov $packet, %si
  call disk
  movw $0, BUFFER
  call read

  call tell
  .asciz "\ndone\n"
  mov $0x31, %al
  out %al, $0xf4
halt:
  hlt
  jmp halt

# What the packet says, and the sum of the buffer.
read:
  mov $0x42, %ah
  mov $packet, %si
  call disk
sum:
  xor %ax, %ax
  mov $BUFFER, %si
  mov $WORDS, %cx
1:
  rol $1, %ax
  add (%si), %ax
  add $2, %si
  loop 1b
  jmp hex

disk_at_buffer:
  mov $BUFFER, %bx
  xor %dh, %dh
# INT 13h; a failure is told with its code.
disk:
  mov drive, %dl
  push %es
  int $0x13
  pop %es
  jnc 1f
  pusha
  call tell
  .asciz "failed "
  movzbw %ah, %ax
  call hex
  popa
1:
  ret

# The text behind the call.
tell:
  pop %si
1:
  lodsb
  test %al, %al
  jz 2f
  call put
  jmp 1b
2:
  jmp *%si

# AX in four digits and a space.
hex:
  pusha
  mov $4, %cx
1:
  rol $4, %ax
  push %ax
  and $15, %al
  cmp $10, %al
  jb 2f
  add $0x27, %al
2:
  add $0x30, %al
  call put
  pop %ax
  loop 1b
  mov $0x20, %al
  call put
  popa
  ret

put:
  push %dx
  push %ax
  mov $COM1 + 5, %dx
1:
  in %dx, %al
  test $0x20, %al
  jz 1b
  pop %ax
  mov $COM1, %dx
  out %al, %dx
  pop %dx
  ret

drive:
  .byte 0
.align 4
# Nine sectors from the second on.
packet:
  .byte 16, 0
  .word 9, BUFFER, 0
  .quad 1

.org 510
.word 0xaa55
