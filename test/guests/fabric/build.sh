#!/bin/sh
# Builds the program of this folder.
set -eu
. "$(dirname "$0")/../freestanding.sh"
compile "$shared/chance" "$shared/ports" bare
link bare chance ports bare
