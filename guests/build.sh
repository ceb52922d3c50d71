#!/bin/sh
# Builds guests/tour/tour.elf and disk.img with gcc and binutils. The committed files are what Debian 12's
# produce; with the same versions the result is the same to the byte.
set -eu
cd "$(dirname "$0")/tour"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
flags="-std=c11 -O2 -m64 -ffreestanding -fno-pic -no-pie -mno-red-zone -mcmodel=small -fno-stack-protector
  -fno-asynchronous-unwind-tables -fcf-protection=none -fno-tree-loop-distribute-patterns -Wall -Wextra -Wno-array-bounds
  -ffile-prefix-map=$PWD=."
gcc $flags -c boot.S -o "$out/boot.o"
gcc $flags -mgeneral-regs-only -c tour.c -o "$out/tour.o"
gcc $flags -mgeneral-regs-only -c console.c -o "$out/console.o"
gcc $flags -mgeneral-regs-only -c disk.c -o "$out/disk.o"
gcc $flags -mgeneral-regs-only -c net.c -o "$out/net.o"
gcc $flags -msse2 -mfpmath=sse -ffp-contract=off -c sums.c -o "$out/sums.o"
ld -n -nostdlib --build-id=none -z noexecstack -z max-page-size=4096 --no-warn-rwx-segments -T tour.lds -o "$out/tour64.elf" \
  "$out/boot.o" "$out/tour.o" "$out/console.o" "$out/disk.o" "$out/net.o" "$out/sums.o"
objcopy -O elf32-i386 --strip-all "$out/tour64.elf" tour.elf

# The same program on a disk: a boot record that loads it, and a partition with the visitors' book.
gcc -m32 -ffreestanding -c mbr.S -o "$out/mbr.o"
ld -m elf_i386 -nostdlib --build-id=none -Ttext=0x7c00 --oformat binary "$out/mbr.o" -o "$out/mbr.bin"
[ "$(stat -c %s tour.elf)" -le $((127 * 512)) ] # one read of the BIOS, and all before the partition
truncate -s 1M "$out/disk.img"
dd if="$out/mbr.bin" of="$out/disk.img" conv=notrunc status=none
dd if=tour.elf of="$out/disk.img" bs=512 seek=1 conv=notrunc status=none
printf 'visits: 0000\n' | dd of="$out/disk.img" bs=512 seek=128 conv=notrunc status=none
cp "$out/disk.img" disk.img
sha256sum tour.elf disk.img
