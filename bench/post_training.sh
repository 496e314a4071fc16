#!/bin/sh
# Post-training of pretrained networks from unlabelled pictures only: naive per-tensor
# 8 bits, 8 bits per channel, second-order rounding at fewer bits; each with accuracy on
# pictures that calibration has not seen.
#
#   bench/post_training.sh BUILD SHARED CIFAR OUT [NETWORK...]
#
# BUILD: build folder; SHARED: folder with datasets/ and models/; CIFAR: what
# `unpack-cifar10` wrote; OUT: results, a folder a cell. A cell that is there is not run
# again, so an interrupted run goes on. At the end the table of all cells is printed.
# mobilenet_v3_small (swish-like activations behind nearly every layer) has no file in
# SHARED: the shipped cfg is trained first, V3_EPOCHS epochs (20).
# TUNE=EPOCHS fine-tunes the CIFAR-10 networks as well, with labels and the float network as
# teacher; THREADS=n.
set -eu
build=$1 shared=$2 cifar=$3 out=$4
shift 4
networks=${*:-resnet20 resnet8 dsc_cifar10 vww_96 mobilenet_v1_0.25_224 mobilenet_v1_0.25_128 mobilenet_v1_1.0_224 mobilenet_v2_1.0_224 mobilenet_v3_small}
mkdir -p "$out"
out=$(cd "$out" && pwd)
dscq=$build/dscq
models=$shared/models
imagenet=$shared/datasets/imagenet256
v3=$(cd "$(dirname "$0")/.." && pwd)/data/nets/mobilenet_v3_small_32.cfg

# Every second ImageNet picture calibrates (a plain folder), the others are scored.
halves() {
    [ -f "$out/half_b.csv" ] && return
    mkdir -p "$out/half_a"
    tail -n +2 "$imagenet/labels.csv" | tr -d '\r' | awk -F, -v out="$out" -v dir="$imagenet/images" '
        NR % 2 == 1 { print dir "/" $1 > (out "/half_a.txt"); print dir "/" $1 "," $2 > (out "/half_a.csv") }
        NR % 2 == 0 { print dir "/" $1 "," $2 > (out "/half_b.tmp") }'
    while read -r picture; do ln -sf "$picture" "$out/half_a/"; done < "$out/half_a.txt"
    mv "$out/half_b.tmp" "$out/half_b.csv"
}

person() {
    [ -f "$out/vww.csv" ] && return
    tail -n +2 "$models/golden/vww_coco128val.csv" | tr -d '\r' |
        awk -F, -v dir="$shared/datasets/coco128-val/images" '{ print dir "/" $1 "," $2 }' > "$out/vww.tmp"
    mv "$out/vww.tmp" "$out/vww.csv"
}

# The file and the [data] section of a network.
of() {
    case $1 in
    resnet20) file=$models/cifar10_resnet/resnet20_cifar10.onnx
        norm='mean = 0.485,0.456,0.406
std = 0.229,0.224,0.225' ;;
    dsc_cifar10) file=$models/cifar10_dsc/dsc_cifar10.onnx
        norm='mean = 0.4914,0.4822,0.4465
std = 0.2470,0.2435,0.2616' ;;
    resnet8) file=$models/mlperf_tiny/resnet8_cifar10.onnx
        norm='mean = 0
std = 1
pixel_scale = 1' ;;
    mobilenet_v3_small) file='' norm='valid_frac = 0.05' ;; # and the means of the data
    vww_96) file=$models/mlperf_tiny/vww_96.onnx ;;
    *_1.0_*) xz -dkc "$models/$1/$1.onnx.xz" > "$out/$1.onnx"
        file=$out/$1.onnx norm='mean = 128
std = 128
pixel_scale = 1' ;;
    *_128) file=$models/$1/$1.onnx norm='mean = 128
std = 128
pixel_scale = 1' ;;
    *) file=$models/$1/$1.onnx norm='mean = 1
std = 1
pixel_scale = 0.00784313725490196' ;;
    esac
    case $1 in
    vww_96) person; halves
        data="type = list
train = $out/vww.csv
test = $out/vww.csv
calibrate = $imagenet/images
mean = 0
std = 1" ;;
    mobilenet_v[12]*) halves
        data="type = list
names = $imagenet/synset_words.txt
train = $out/half_a.csv
test = $out/half_b.csv
calibrate = $out/half_a
resize = crop
crop_frac = 0.875
$norm" ;;
    *) data="type = cifar10
train = $cifar
test = $cifar
flip = 1
shift = 4
$norm" ;;
    esac
}

# net.cfg and float.ckpt in $out/NETWORK, once.
fetch() {
    [ -f "$out/$1/float.ckpt" ] && return
    if [ -n "$file" ]; then
        "$dscq" import "$file" -o "$out/$1" --force --quiet > /dev/null
        return
    fi
    "$dscq" train "$v3" -o "$out/$1.trained" --force --quiet --threads "${THREADS:-0}" \
        --set train.epochs="${V3_EPOCHS:-20}" --set data.train="$cifar" --set data.test="$cifar"
    mkdir -p "$out/$1"
    sed '/^\[data\]/,$d' "$v3" > "$out/$1/net.cfg"
    mv "$out/$1.trained/float.ckpt" "$out/$1/float.ckpt"
}

# cell NETWORK NAME [compress] [compress_layer]; $epochs of fine-tuning, $tune: more sections
epochs=0
tune=''
cell() {
    dir=$out/$1.$2
    [ -f "$dir.json" ] && return
    of "$1"
    fetch "$1"
    { cat "$out/$1/net.cfg"
      printf '[data]\n%s\n[compress]\nepochs = %d\n%b\n%b\n' "$data" "$epochs" "$3" "$tune"
      [ -z "${4:-}" ] || printf '[compress_layer]\n%b\n' "$4"; } > "$out/$1/$2.cfg"
    if "$dscq" compress "$out/$1/$2.cfg" -w "$out/$1/float.ckpt" -o "$dir" --force \
        --threads "${THREADS:-0}" --quiet --json > "$dir.tmp"; then
        mv "$dir.tmp" "$dir.json"
    else
        echo "$1 $2: failed" >&2
    fi
}

norm_or_bias='reestimate_norm = 1\nbias_correction = 1\ncalibration_images = 512'
for n in $networks; do
    cell "$n" naive8 'method = uniform\np = 0\nb = 8\nfold_norm = 1\ncalibration = minmax' \
        'match = *\nform = linear\nscale = layer\nb = 8\np = 0'
    cell "$n" w8 "method = uniform\np = 0\nb = 8\n$norm_or_bias"
    case $n in
    *_1.0_* | *_128) continue ;;
    mobilenet_v3_small)
        for rule in mse percentile minmax kl; do
            cell "$n" "plain8_$rule" "method = uniform\np = 0\nb = 8\ncalibration = $rule"
        done
        continue ;;
    esac
    cell "$n" obq8 "method = obq\np = 0\nb = 8\n$norm_or_bias"
    for b in 6 5 4; do
        cell "$n" obq$b "method = obq\np = 0\nb = $b\nfirst_b = 8\ndw_b = $((b + 2 > 8 ? 8 : b + 2))\n$norm_or_bias"
    done
    for pb in 0.3/6 0.3/5 0.4/5 0.3/4 0.5/4 0.6/4 0.7/4 0.5/3 0.6/3; do
        cell "$n" obq${pb#*/}_p${pb%/*} "method = obq\np = ${pb%/*}\nb = ${pb#*/}\nfirst_b = 8\ndw_b = 6\n$norm_or_bias"
    done
done

# Clip, partition and retrain: dsc_clipq on the plain residual networks and the separable one.
if [ "${TUNE:-0}" -gt 0 ]; then
    epochs=$TUNE
    learn='[train]\nwarmup_epochs = 0.5\ndistil_weight = 0.9\nlabel_smoothing = 0\nclip_norm = 1\n'
    for n in $networks; do
        case $n in
        dsc_cifar10) rate=0.02 tune=$learn ;;
        resnet20) rate=0.001 tune="${learn}optimiser = adamw\nbatch = 128\n" ;;
        # its batch norm is folded, its pixels go to 255: one rate for all layers diverges
        resnet8) rate=0.0005 tune="${learn}optimiser = adamw\nbatch = 128\n" ;;
        *) continue ;;
        esac
        for pb in 0.4/4 0.5/3 0.6/3 0.7/3; do
            cell "$n" "tuned${pb#*/}_p${pb%/*}" "method = dsc_clipq\np = ${pb%/*}\nb = ${pb#*/}\nfirst_b = 8\nlearning_rate = $rate\nfreeze_frac = 0.3"
        done
    done
fi

value() { tr ',{}' '\n' < "$2" | sed -n "s/^ *\"$1\" *: *\"\{0,1\}\([^\"]*\)\"\{0,1\} *$/\1/p" | head -1; }
echo "| network | setting | images | float | packed | change (95 %) | McNemar p | same class | base | file | ratio |"
echo "|---|---|---|---|---|---|---|---|---|---|---|"
for n in $networks; do
    for j in "$out/$n".*.json; do
        [ -f "$j" ] || continue
        name=${j##*/"$n".}
        echo "$n ${name%.json} $(value images "$j") $(value float_score_frac "$j") $(value packed_score_frac "$j") $(value change_frac "$j") $(value change_low_frac "$j") $(value change_high_frac "$j") $(value mcnemar_p "$j") $(value agreement_frac "$j") $(value float_bytes "$j") $(value file_bytes "$j")"
    done
done | awk '{ printf "| %s | %s | %d | %.2f | %.2f | %+.2f (%+.2f..%+.2f) | %.2g | %.2f | %d | %d | %.2f |\n",
    $1, $2, $3, 100*$4, 100*$5, 100*$6, 100*$7, 100*$8, $9, 100*$10, $11, $12, $11/$12 }'
