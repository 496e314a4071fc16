#!/bin/sh
# extending.sh CMAKE CTEST GENERATOR CC [LAUNCHER]: the first recipe of docs/extending.md,
# as it is printed there, applied to a copy of the tree: an activation that is built, and
# found by the tests of all activations. Without its known point it is missed.
set -eu
cmake=$1
ctest=$2
generator=$3
cc=$4
launcher=${5-}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
tree=$scratch/tree
mkdir "$tree"
tar -cf - CMakeLists.txt LICENSE cmake include src tests data docs tools bench examples |
    tar -xf - -C "$tree"

# the diff of section "An activation"
awk '/^## /{on = /^## An activation$/} on && /^```$/{exit} on && p; on && /^```diff$/{p = 1}' \
    docs/extending.md >"$scratch/recipe.patch"
if [ "$(grep -c '^+++ ' "$scratch/recipe.patch")" -ne 2 ]; then
    echo "docs/extending.md: the recipe of an activation should touch its row and its test"
    exit 1
fi
if ! command -v patch >/dev/null; then
    echo "SKIP: no patch (Debian: patch)"
    exit 77
fi
name=$(sed -n 's/^+DSCQ_ACT(\([a-z0-9_]*\),.*/\1/p' "$scratch/recipe.patch")
[ -n "$name" ] || { echo "docs/extending.md: the recipe has no row"; exit 1; }
patch -s -p1 --fuzz=0 -d "$tree" <"$scratch/recipe.patch"

tests="test_tensor_act test_tensor_rows test_export_roundtrip"
# without optimisation: building is most of the time here
"$cmake" -S "$tree" -B "$scratch/build" -G "$generator" -DCMAKE_BUILD_TYPE=Debug \
    -DCMAKE_C_COMPILER="$cc" -DCMAKE_C_COMPILER_LAUNCHER="$launcher" -DDSCQ_LIBRARY=OFF \
    >"$scratch/said" 2>&1 || { cat "$scratch/said"; exit 1; }
build() {
    # shellcheck disable=SC2086 # words are wanted
    "$cmake" --build "$scratch/build" -j 2 --target $tests >"$scratch/said" 2>&1 ||
        { tail -40 "$scratch/said"; exit 1; }
    if grep 'acts\.def.*warning:' "$scratch/said"; then # those of intrinsics pass
        exit 1
    fi
}
run() { # PATTERN
    "$ctest" --test-dir "$scratch/build" -j 2 -R "^($1)\$" --output-on-failure \
        --no-tests=error >"$scratch/said" 2>&1
}
build
run "$(echo "$tests" | tr ' ' '|')" || { tail -40 "$scratch/said"; exit 1; }
grep -q '100% tests passed, 0 tests failed out of 3' "$scratch/said" ||
    { cat "$scratch/said"; exit 1; }

# a row alone: the table of known points says what is missing
cp tests/unit/test_tensor_act.c "$tree/tests/unit/test_tensor_act.c"
tests=test_tensor_act
build
if run test_tensor_act; then
    echo "an activation without a known point was not missed"
    exit 1
fi
grep -q "$name: no point" "$scratch/said" || { cat "$scratch/said"; exit 1; }
echo "the recipe of $name applies, builds and is tested"
