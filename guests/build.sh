#!/bin/sh
# Builds guests/tour/tour.elf with gcc and binutils. The committed image is what Debian 12's produce;
# with the same versions the result is the same to the byte.
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
gcc $flags -msse2 -mfpmath=sse -ffp-contract=off -c sums.c -o "$out/sums.o"
ld -n -nostdlib --build-id=none -z noexecstack -z max-page-size=4096 --no-warn-rwx-segments -T tour.lds -o "$out/tour64.elf" \
  "$out/boot.o" "$out/tour.o" "$out/console.o" "$out/sums.o"
objcopy -O elf32-i386 --strip-all "$out/tour64.elf" tour.elf
sha256sum tour.elf
