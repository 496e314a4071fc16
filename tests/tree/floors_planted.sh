#!/bin/sh
# A check that never fails checks nothing: plant one violation of each kind and see
# that tools/check_floors.sh finds it.
set -eu
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
checker=$PWD/tools/check_floors.sh
mkdir -p "$scratch/tools" "$scratch/src/base" "$scratch/src/nn" "$scratch/src/new" \
    "$scratch/include/dscq/base"
cp tools/floors.txt "$scratch/tools/"

# plant FILE LINE WANTED-MESSAGE
plant() {
    printf '%s\n' "$2" >"$scratch/$1"
    if said=$("$checker" "$scratch"); then
        echo "not found: $1: $2"
        exit 1
    fi
    case $said in
    *"$3"*) ;;
    *)
        echo "$1: said '$said', want '$3'"
        exit 1
        ;;
    esac
    rm "$scratch/$1"
}

plant src/base/a.c '#include "dscq/nn/model.h"' 'src/base/a.c:1: base may not include'
plant include/dscq/base/a.h '# include "dscq/tensor/x.h"' 'base may not include'
plant src/nn/a.c '#include "../base/keys.h"' 'private include'
plant src/nn/b.c '#include "other/keys.h"' 'private include'
plant src/nn/c.c '#include "dscq/hw/sim.h"' 'nn may not include'
plant src/new/a.c '#include "dscq/base/keys.h"' 'module new has no floor'
plant src/nn/d.c '#include "dscq/dscq.h"' 'private include'
plant include/dscq/dscq.h '#include "dscq/nn/model.h"' 'module dscq.h has no floor'
printf '#include "dscq/status.h"\n' >"$scratch/include/dscq/dscq.h"
printf '#include <zlib.h>\n' >"$scratch/src/base/one.c"
plant src/nn/two.c '#include <zlib.h>' 'included by more than one file'
"$checker" "$scratch"
echo "every planted violation was found"
