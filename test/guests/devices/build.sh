#!/bin/sh
# Builds the programs of this folder with binutils. The committed images are what Debian 12's produce.
set -eu
cd "$(dirname "$0")"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
for program in echo edu msix; do
  as --32 "$program.S" -o "$out/$program.o"
  ld -m elf_i386 -n -nostdlib -Ttext 0x100000 --no-warn-rwx-segments -e start --strip-all "$out/$program.o" -o "$program.elf"
done
