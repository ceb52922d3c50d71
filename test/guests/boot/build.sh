#!/bin/sh
# Builds the programs of this folder with gcc and binutils. The committed images are what Debian 12's produce.
set -eu
cd "$(dirname "$0")"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
flags="-std=c11 -Os -m32 -march=i686 -ffreestanding -fno-pic -no-pie -fno-stack-protector -fno-asynchronous-unwind-tables
  -fcf-protection=none -Wall -Wextra -Wno-array-bounds -ffile-prefix-map=$PWD=."
as --32 start.S -o "$out/start.o"
for program in bios modules; do
  gcc $flags -c "$program.c" -o "$out/$program.o"
  ld -m elf_i386 -n -nostdlib --build-id=none -z noexecstack --no-warn-rwx-segments --strip-all -T boot.lds \
    -o "$program.elf" "$out/start.o" "$out/$program.o"
done
as --32 --defsym PVH=1 start.S -o "$out/start.o"
gcc $flags -c pvh.c -o "$out/pvh.o"
ld -m elf_i386 -n -nostdlib --build-id=none -z noexecstack --no-warn-rwx-segments --strip-all -T boot.lds \
  -o pvh.elf "$out/start.o" "$out/pvh.o"
as --32 mbr.s -o "$out/mbr.o"
ld -m elf_i386 -Ttext=0x7c00 --oformat binary -o mbr.bin "$out/mbr.o"
chmod -x mbr.bin
sha256sum ./*.elf mbr.bin
