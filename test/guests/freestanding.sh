# Builds programs without an operating system below them, with gcc and binutils: sourced by build.sh of a folder, which
# it goes to. The committed images are what Debian 12's tools produce.
cd "$(dirname "$0")"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
shared=../hostile-driver
as --32 "$shared/start.S" -o "$out/start.o"

# compile PART...: each C file to an object. PARTs of $shared are named by it.
compile() {
  for part in "$@"; do
    gcc -std=c11 -Os -m32 -march=i686 -ffreestanding -fno-pic -no-pie -fno-stack-protector \
      -fno-asynchronous-unwind-tables -fcf-protection=none -Wall -Wextra -I "$shared" -ffile-prefix-map="$PWD=." \
      -c "$part.c" -o "$out/$(basename "$part").o"
  done
}

# link PROGRAM PART...: what starts it and these objects. Symbols stay: whoever looks at what it does has names.
link() {
  program=$1 objects=start.o
  shift
  for part in "$@"; do objects="$objects $part.o"; done
  (cd "$out" && ld -m elf_i386 -n -nostdlib -Ttext 0x100000 --no-warn-rwx-segments -e start --build-id=none \
    -z noexecstack --strip-debug $objects -o "$OLDPWD/$program.elf")
}
