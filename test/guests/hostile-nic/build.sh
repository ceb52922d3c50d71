#!/bin/sh
# Builds the programs of this folder with gcc and binutils. The committed images are what Debian 12's produce.
set -eu
cd "$(dirname "$0")"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
shared=../hostile-driver
# Their symbols stay: whoever looks at what they do has names.
flags="-std=c11 -Os -m32 -march=i686 -ffreestanding -fno-pic -no-pie -fno-stack-protector -fno-asynchronous-unwind-tables
  -fcf-protection=none -Wall -Wextra -I $shared -ffile-prefix-map=$PWD=."
as --32 "$shared/start.S" -o "$out/start.o"
for part in "$shared/chance" "$shared/ports" nic e1000 rtl8139; do
  gcc $flags -c "$part.c" -o "$out/$(basename "$part").o"
done
for card in e1000 rtl8139; do
  (cd "$out" && ld -m elf_i386 -n -nostdlib -Ttext 0x100000 --no-warn-rwx-segments -e start --build-id=none \
    -z noexecstack --strip-debug start.o chance.o ports.o nic.o $card.o -o "$OLDPWD/$card.elf")
done
