#!/bin/sh
# kept.sh IMAGE CONSOLE: whether an ext4 that lost its power is sound once its journal is replayed, and has each file
# that the guest had said is durable.
PATH=$PATH:/usr/sbin:/sbin
found=$(mktemp -d) || exit 2
trap 'rm -rf "$found"' EXIT
e2fsck -y -E journal_only "$1" > "$found/replayed" 2>&1
e2fsck -fn "$1" > "$found/checked" 2>&1 || { cat "$found/replayed" "$found/checked"; exit 1; }
debugfs -R "rdump kept $found" "$1" > "$found/dumped" 2>&1
sed -n 's/^kept \(.*\)\r$/\1/p' "$2" > "$found/sums"
cd "$found" || exit 2
! [ -s sums ] || md5sum --quiet -c sums
