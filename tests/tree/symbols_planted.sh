#!/bin/sh
# A check that never fails checks nothing: objects with one fault of each kind, which
# tools/check_symbols must find; and without a fault it must find nothing.
#   tests/tree/symbols_planted.sh CC
set -eu
cc=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
checker=$PWD/tools/check_symbols
mkdir -p "$scratch/tools"
printf 'base 0\nnn 2\nhw 2\n' >"$scratch/tools/floors.txt"
cd "$scratch"

# file MODULE/NAME TEXT: source and object
file() {
    mkdir -p "src/${1%/*}" "build/CMakeFiles/x.dir/src/${1%/*}"
    printf '%s\n' "$2" >"src/$1.c"
    "$cc" -c "src/$1.c" -o "build/CMakeFiles/x.dir/src/$1.c.o"
}

# finds WANTED-MESSAGE, or nothing when it is ""
finds() {
    status=0
    said=$("$checker" build) || status=$?
    if [ "$1" = "" ] && { [ "$status" -ne 0 ] || [ "$said" != "" ]; }; then
        echo "a clean tree: said '$said', exit $status"
        exit 1
    fi
    case $said in
    *"$1"*) [ "$1" = "" ] || [ "$status" -eq 1 ] || { echo "exit $status for: $said" && exit 1; } ;;
    *)
        echo "said '$said', want '$1'"
        exit 1
        ;;
    esac
}

file base/a 'int dscq_low(void) { return 1; }'
file nn/part/b 'int dscq_low(void); int nn__b(void) { return dscq_low(); }'
file nn/c 'int nn__b(void); int dscq_c(void) { return nn__b(); }'
file hw/d 'static int k; int hw__d(void) { return k; }'
finds ''
file base/a 'int dscq_c(void); int dscq_low(void) { return dscq_c(); }'
finds 'src/base/a.c takes dscq_c from nn, which is not below base'
file base/a 'int dscq_low(void) { return 1; }'
file hw/d 'int dscq_c(void); int hw__d(void) { return dscq_c(); }'
finds 'src/hw/d.c takes dscq_c from nn, which is not below hw'
file hw/d 'int helper(void) { return 1; }'
finds 'src/hw/d.c: helper: a shared name begins with dscq_ or hw__'
file hw/d 'int hw__d(void) { return 1; }'
file nn/part/b 'int dscq_c(void); int nn__b(void) { return dscq_c(); }'
finds 'a circle: nn/c.c takes nn__b, nn/part/b.c takes dscq_c'
file nn/part/b 'int nn__b(void) { return 1; }'
file attic/e 'int attic__e(void) { return 1; }'
finds 'attic/e: module attic has no floor'
