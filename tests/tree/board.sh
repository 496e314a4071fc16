#!/bin/sh
# A board library: a program that holds five modules whole and one that holds those of
# lower, and of the other modules nothing. The first runs the packed networks of
# tests/golden, the second lowers one.
#   tests/tree/board.sh BUILD RUN LOWER
set -eu
build=$1
run=$2
lower=$3
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

"$run" tests/golden/pack/good_*.bin tests/golden/pack/old_*.bin >"$scratch/said"
want=$(find tests/golden/pack -name 'good_*.bin' -o -name 'old_*.bin' | grep -c .)
got=$(grep -c 'digests equal' "$scratch/said")
if [ "$got" -ne "$want" ]; then
    echo "$got of $want networks have the digests of their files"
    exit 1
fi
if "$run" tests/golden/pack/bad_body.bin >/dev/null; then
    echo "a damaged network runs"
    exit 1
fi
"$lower" tests/golden/pack/good_dense.bin >"$scratch/said" || {
    cat "$scratch/said"
    exit 1
}

# alone PROGRAM MODULE...: it holds each of these, and a symbol of no other module
alone() {
    program=$1
    shift
    nm --defined-only "$program" | awk '{ print $3 }' | LC_ALL=C sort -u >"$scratch/held"
    for archive in "$build"/libdscq_*.a; do
        module=${archive##*/libdscq_}
        module=${module%.a}
        nm -g --defined-only "$archive" 2>/dev/null | awk 'NF == 3 { print $3 }' |
            LC_ALL=C sort -u | LC_ALL=C comm -12 - "$scratch/held" >"$scratch/of"
        case " $* " in
        *" $module "*) [ -s "$scratch/of" ] || { echo "$program: nothing of $module" && exit 1; } ;;
        *) [ ! -s "$scratch/of" ] || { echo "$program: of $module:" && cat "$scratch/of" && exit 1; } ;;
        esac
    done
}
alone "$run" base tensor qnet pack infer
alone "$lower" base tensor dram hw qnet pack energy lower
echo "$got networks run with five modules; lower links with eight"
