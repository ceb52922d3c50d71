#!/bin/sh
# Builds the program of this folder.
set -eu
. "$(dirname "$0")/../freestanding.sh"
compile chance ports functions registers requests driver
link driver chance ports functions registers requests driver
