#!/bin/sh
# The programs of examples/, compiled with pkg-config against an installed copy and run.
#   examples.sh PREFIX C-COMPILER    (PKG_CONFIG_PATH is set)
set -eu
prefix=$1
cc=$2
here=$(cd "$(dirname "$0")" && pwd)
examples=$here/../../examples
LD_LIBRARY_PATH=$(pkg-config --variable=libdir dscq)
export LD_LIBRARY_PATH

has() { # has FILE PATTERN
    if ! grep -Eq "$2" "$1"; then
        echo "$1 has no line '$2':"
        cat "$1"
        exit 1
    fi
}

for name in train_compress run_packed simulate; do
    if [ "$(wc -l <"$examples/$name.c")" -ge 120 ]; then
        echo "$name.c: 120 lines or more"
        exit 1
    fi
    # shellcheck disable=SC2046 # words are wanted
    "$cc" -std=c11 -Wall -Wextra -Wpedantic -Wconversion -Werror -o "$name" \
        "$examples/$name.c" $(pkg-config --cflags --libs dscq)
done

./train_compress "$here/small.cfg" packed.bin train.epochs=1 >trained 2>said
has trained '^packed [0-9.]+ %, [0-9]+ bytes'
has trained '4_connected .* 4 bits'
has said '^epoch 1: '
# the bytes are those of the program
"$prefix/bin/dscq" compress "$here/small.cfg" --set train.epochs=1 -o run --quiet >/dev/null
cmp packed.bin run/packed.bin
if ./train_compress "$here/small.cfg" other.bin train.epoch=1 2>refused; then
    echo "a misspelt setting was taken"
    exit 1
fi
has refused "unknown key 'epoch'|did you mean 'epochs'"

head -c 15360 "$prefix/bin/dscq" >pictures.rgb # twenty of 16 x 16 x 3
./run_packed packed.bin pictures.rgb >answers
has answers '^16 x 16 x 3, .* kernels'
if [ "$(grep -c 'red_circle_.* %, ' answers)" -ne 20 ]; then
    echo "twenty pictures, and these answers:"
    cat answers
    exit 1
fi
head -c 1000 packed.bin >cut.bin
if ./run_packed cut.bin pictures.rgb 2>refused; then
    echo "a cut file was taken"
    exit 1
fi
has refused '^FORMAT: cut.bin: '

./simulate packed.bin zcu104 clock_mhz=100 >simulated
has simulated '^[0-9]+ cycles, [0-9.]+ frames/s, 5 layers verified'
has simulated '^[0-9.]+ uJ, between [0-9.]+ and [0-9.]+'
has simulated '^mac_dense +26688$'
cycles=$("$prefix/bin/dscq" simulate packed.bin --set clock_mhz=100 --json |
    sed -n 's/^ *"cycles": \([0-9]*\),*$/\1/p' | head -n 1)
has simulated "^$cycles cycles"
echo "three programs compiled and run"
