#!/bin/sh
# Builds the program of this folder with gcc and binutils. The committed image is what Debian 12's produce.
set -eu
cd "$(dirname "$0")"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
shared=../hostile-driver
# Its symbols stay: whoever looks at what it does has names.
flags="-std=c11 -Os -m32 -march=i686 -ffreestanding -fno-pic -no-pie -fno-stack-protector -fno-asynchronous-unwind-tables
  -fcf-protection=none -Wall -Wextra -ffile-prefix-map=$PWD=."
as --32 "$shared/start.S" -o "$out/start.o"
for part in "$shared/chance" "$shared/ports" bare; do
  gcc $flags -c "$part.c" -o "$out/$(basename "$part").o"
done
cd "$out"
ld -m elf_i386 -n -nostdlib -Ttext 0x100000 --no-warn-rwx-segments -e start --build-id=none -z noexecstack --strip-debug \
  start.o chance.o ports.o bare.o -o "$OLDPWD/bare.elf"
