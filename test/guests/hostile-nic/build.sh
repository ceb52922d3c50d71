#!/bin/sh
# Builds the programs of this folder.
set -eu
. "$(dirname "$0")/../freestanding.sh"
compile "$shared/chance" "$shared/ports" nic e1000 rtl8139
for card in e1000 rtl8139; do link $card chance ports nic $card; done
