#!/bin/sh
# One bit a weight with a few 8-bit blocks on a detector (docs/methods.md section 7):
# train, compress, pack, score in integers, run, simulate, on BCCD.
#
#   bench/detect_binary.sh BUILD_DIR OUT_DIR [HIGH_FRAC...]
#
# Each HIGH_FRAC (default 0.01) is one compression of the same float network. Whatever
# stopped it, the same command goes on where it was: a finished part is not done again, an
# unfinished one is resumed. The data set is $BCCD, by default datasets/bccd of
# $DSCQ_SHARED (../shared beside the project). Prints a row a HIGH_FRAC: AP50 float and
# packed on the test part (area; VOC 11 points; COCO), bytes, ratio.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
build=${1:?usage: detect_binary.sh BUILD_DIR OUT_DIR [HIGH_FRAC...]}
out=${2:?usage: detect_binary.sh BUILD_DIR OUT_DIR [HIGH_FRAC...]}
shift 2
dscq=$build/dscq
cfg=$here/data/nets/bccd_wide.cfg
bccd=${BCCD:-${DSCQ_SHARED:-$here/../shared}/datasets/bccd}
threads=${THREADS:-1}
if [ ! -d "$bccd/JPEGImages" ]; then
    echo "SKIP: no data set at $bccd"
    exit 0
fi
export DSCQ_DATA="$here/data"
set_data() {
    "$@" --set "data.train=$bccd/ImageSets/Main/trainval.txt" \
        --set "data.test=$bccd/ImageSets/Main/test.txt"
}
# The number behind a key of a flat JSON file.
number() {
    sed -n "s/.*\"$2\": *\\([-0-9.e]*\\).*/\\1/p" "$1" | head -1
}
mkdir -p "$out"
if [ ! -f "$out/float/float.ckpt" ]; then
    resume=
    [ -f "$out/float/train.ckpt" ] && resume=--resume
    set_data "$dscq" train "$cfg" -o "$out/float" --threads "$threads" \
        --progress none ${resume:+"$resume"}
fi
picture=$(find "$bccd/JPEGImages" -name '*.jpg' | LC_ALL=C sort | head -1)
echo "high_frac  float_AP50  packed_AP50  change  voc11 float/packed  coco float/packed  float_bytes  file_bytes  ratio"
for high in "${@:-0.01}"; do
    dir=$out/high$high
    if [ ! -f "$dir/result.json" ]; then
        resume=
        [ -f "$dir/tune.ckpt" ] && resume=--resume
        set_data "$dscq" compress "$cfg" -w "$out/float/float.ckpt" -o "$dir" \
            --threads "$threads" --progress none --set "compress.high_frac=$high" \
            --json="$dir/result.tmp" --force ${resume:+"$resume"} >"$dir.log"
        mv "$dir/result.tmp" "$dir/result.json"
    fi
    for rule in voc11 coco; do
        [ -f "$dir/$rule.json" ] ||
            set_data "$dscq" eval "$cfg" -w "$out/float/float.ckpt" \
                -p "$dir/packed.bin" --ap "$rule" --threads "$threads" -q \
                --json="$dir/$rule.json" >"$dir.log"
    done
    if [ ! -f "$dir/chain.ok" ]; then
        "$dscq" verify "$dir/packed.bin" >"$dir.log"
        "$dscq" run "$dir/packed.bin" "$picture" --draw "$dir/drawn" >"$dir.log"
        "$dscq" simulate "$dir/packed.bin" --machine zcu104 --verify >"$dir.log"
        : >"$dir/chain.ok"
    fi
    r=$dir/result.json
    awk -v h="$high" -v f="$(number "$r" float_score_frac)" \
        -v p="$(number "$r" packed_score_frac)" -v b="$(number "$r" float_bytes)" \
        -v s="$(number "$r" file_bytes)" \
        -v vf="$(number "$dir/voc11.json" float_map_frac)" \
        -v vp="$(number "$dir/voc11.json" packed_map_frac)" \
        -v cf="$(number "$dir/coco.json" float_map_frac)" \
        -v cp="$(number "$dir/coco.json" packed_map_frac)" 'BEGIN {
        printf "%9s  %9.2f%%  %10.2f%%  %+6.2f  %8.2f/%.2f  %11.2f/%.2f  %11d  %10d  %5.2f\n",
            h, 100*f, 100*p, 100*(p-f), 100*vf, 100*vp, 100*cf, 100*cp, b, s, b/s }'
done
