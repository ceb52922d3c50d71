#!/bin/sh
# Builds the programs of this folder with gcc and binutils. The committed images are what Debian 12's produce.
set -eu
cd "$(dirname "$0")"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
linked="ld -m elf_i386 -n -nostdlib -Ttext 0x100000 --no-warn-rwx-segments -e start"
for program in dirty echo edu msix; do
  as --32 "$program.S" -o "$out/$program.o"
  $linked --strip-all "$out/$program.o" -o "$program.elf"
done
# Its symbols stay: whoever looks at what it does has names.
flags="-std=c11 -Os -m32 -march=i686 -ffreestanding -fno-pic -no-pie -fno-stack-protector -fno-asynchronous-unwind-tables
  -fcf-protection=none -Wall -Wextra -ffile-prefix-map=$PWD=."
as --32 disk.S -o "$out/start.o"
gcc $flags -c disk.c -o "$out/disk.o"
$linked --build-id=none -z noexecstack --strip-debug "$out/start.o" "$out/disk.o" -o disk.elf
