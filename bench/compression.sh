#!/bin/sh
# Compression on CIFAR-10: sizes of whole files, accuracy in integers on the test part.
#
#   bench/compression.sh BUILD DATA OUT [GROUP...]
#
# DATA holds CIFAR-10 in its binary layout. Every cell is a folder OUT/NET/CELL; one that
# is finished is not run again, one that was interrupted goes on where it was, so the
# whole may be spread over days. Float networks are trained once per net. Groups:
#   headline   one operating point per network, the first of three seeds
#   seeds      the other two seeds of it
#   curve      more operating points
#   methods    clipq, deep_compression and magnitude + uniform at about the same bytes
#   hard       half the headline's bytes, where the methods part; hard_methods: the others
#   hard_dw    dsc_clipq with 4-bit depthwise kernels at the bytes of `hard`
#   hard_plain CLIP-Q as published at the bytes of `hard` (its depthwise layers take fewer)
#   hard_seeds two more seeds of `hard` and of magnitude + uniform there
#   variants   ablations (a) to (g) of dsc_clipq at that point
#   pairs      dsc_clipq against each of the methods on the same images; the three seeds
#              of `hard` against those of magnitude, mean over seeds
#   table      what is there (default: everything, then table)
# SLOW=n lowers priority; EPOCHS (default 10) is for the fine-tuning of each cell; NETS
# (default "v1 v2 alex small") keeps to some networks, VARIANTS (default "a b d e f"; c is hard-clipq) to some
# ablations.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
all_groups="headline hard methods hard_methods hard_dw hard_plain hard_seeds seeds curve variants pairs table"
usage="usage: compression.sh BUILD DATA OUT [GROUP...]"
dscq=${1:?$usage}/dscq
data=${2:?$usage}
out=${3:?$usage}
shift 3
groups=${*:-$all_groups}
epochs=${EPOCHS:-10}
threads=${THREADS:-0}
nets=${NETS:-v1 v2 alex small}
variants=${VARIANTS:-a b d e f}
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE || true
mkdir -p "$out"

# What a network is: its file, the settings that are always given, its float epochs.
net_file() {
    case $1 in
    v1) echo mobilenet_v1_32 ;;
    v2) echo mobilenet_v2_32 ;;
    alex) echo alexnet_cifar ;;
    small) echo tiny_dsc ;;
    esac
}
net_width() {
    case $1 in
    v1) echo 0.5 ;;
    v2) echo 0.35 ;;
    *) echo 1 ;;
    esac
}
net_settings() { # tiny_dsc is drawn for 96 x 96; CIFAR-10's 32 are enlarged to 64 here
    case $1 in
    small) echo --set net.width=64 --set net.height=64 --set data.type=cifar10 --set data.flip=1 --set data.shift=4 --set data.valid_frac=0.05 ;;
    esac
}
net_epochs() {
    case $1 in
    v2) echo 36 ;;
    small) echo 30 ;;
    *) echo 40 ;;
    esac
}

# dscq_on NET CFG COMMAND [OPTION...]
dscq_on() {
    net=$1
    cfg=$2
    command=$3
    shift 3
    # shellcheck disable=SC2046 # words of ours
    nice -n "${SLOW:-0}" "$dscq" "$command" "$cfg" --threads "$threads" -q \
        --set net.width_multiplier="$(net_width "$net")" $(net_settings "$net") \
        --set data.train="$data" --set data.test="$data" "$@"
}

float_net() {
    [ -f "$out/$1/float.ckpt" ] && return
    mkdir -p "$out/$1"
    set -- "$1" "$out/$1/float"
    resume=""
    [ -f "$2/train.ckpt" ] && resume=--resume
    # shellcheck disable=SC2086 # empty or one word
    dscq_on "$1" "$here/data/nets/$(net_file "$1").cfg" train -o "$2" $resume \
        --set train.epochs="$(net_epochs "$1")" >&2
    cp "$2/float.ckpt" "$out/$1/float.ckpt.part"
    mv "$out/$1/float.ckpt.part" "$out/$1/float.ckpt"
}

# A network that keeps a tenth of its weights needs less dropout (Han et al. 2015, section 3.2:
# times the square root of the kept fraction, 0.12); taught by the float network, none (0.2
# points better than 0.12 on validation and test part).
without_dropout() {
    case $1 in
    alex) sed '/^\[dropout\]/,/^$/ s/probability = .*/probability = 0/' ;;
    *) cat ;;
    esac
}

# cell NET NAME [OPTION...]; $recipe holds [compress_layer] sections or nothing
cell() {
    net=$1
    name=$2
    shift 2
    case " $nets " in
    *" $net "*) ;;
    *) return ;;
    esac
    dir=$out/$net/$name
    [ -f "$dir/run.json" ] && return
    float_net "$net"
    mkdir -p "$dir"
    {
        without_dropout "$net" <"$here/data/nets/$(net_file "$net").cfg"
        printf '\n%s\n' "$recipe"
    } >"$dir.cfg"
    resume=""
    [ -f "$dir/tune.ckpt" ] && resume=--resume
    echo "$net/$name" >&2
    # shellcheck disable=SC2086 # empty or one word
    dscq_on "$net" "$dir.cfg" compress -w "$out/$net/float.ckpt" -o "$dir" $resume --force \
        --set compress.epochs="$epochs" "$@" >"$dir.txt"
    "$dscq" unpack "$dir/packed.bin" --as archive -o "$dir/archive.bin" --force -q
}

layers() { # layers PATTERN P B: a [compress_layer] section
    printf '[compress_layer]\nmatch = %s\np = %s\nb = %s\n\n' "$1" "$2" "$3"
}

# The operating points. Rates follow the sizes of the layers: the last two pointwise
# layers of MobileNetV1 hold half of its weights and see 2 x 2 pixels; those of
# MobileNetV2 a third. The last layer of the AlexNet class is small. All methods learn
# from the float network as well (distillation) and at the same rate.
recipe_of() { # recipe_of NET P_BIG B_BIG
    case $1 in
    v1) layers '24_*, 26_*' "$2" "$3" ;;
    v2) layers '60_*, 61_*' "$2" "$3" ;;
    alex)
        layers '8_*, 10_*' "$2" "$3"
        layers '11_*' 0.6 4
        ;;
    *) : ;;
    esac
}

point() { # point NET NAME P B P_BIG B_BIG [OPTION...]
    net=$1
    name=$2
    p=$3
    b=$4
    recipe=$(recipe_of "$net" "$5" "$6")
    shift 6
    cell "$net" "$name" --set compress.p="$p" --set compress.b="$b" \
        --set compress.learning_rate="$(rate_of "$net")" --set train.warmup_epochs=0.5 \
        --set train.distil_weight=0.9 --set train.label_smoothing=0 "$@"
}

rate_of() {
    case $1 in
    alex) echo 0.02 ;;
    *) echo 0.04 ;;
    esac
}

head_point() { # head_point NET NAME [OPTION...]
    net=$1
    name=$2
    shift 2
    case $net in
    v1) point v1 "$name" 0.55 4 0.85 3 --set compress.variant=g "$@" ;;
    v2)
        point v2 "$name" 0.44 4 0.69 3 --set compress.variant=g --set compress.dw_b=4 \
            --set compress.epochs=$((2 * epochs)) "$@"
        ;;
    alex) point alex "$name" 0.45 4 0.945 3 --set compress.partition=entropy "$@" ;;
    small) point small "$name" 0.4 4 - - --set compress.method=dsc_clipq "$@" ;;
    esac
}

# Where the methods part: about twice the compression of the headline.
hard_point() { # hard_point NET NAME [OPTION...]
    net=$1
    name=$2
    shift 2
    case $net in
    v1) point v1 "$name" 0.8 3 0.93 3 --set compress.variant=g "$@" ;;
    v2) point v2 "$name" 0.75 3 0.88 3 --set compress.variant=g "$@" ;;
    esac
}

hard_dw() {
    point v1 hard-dw4 0.775 3 0.915 3 --set compress.variant=g --set compress.dw_b=4
    point v2 hard-dw4 0.66 3 0.82 3 --set compress.variant=g --set compress.dw_b=4
}

hard_plain() { # rates at which variant a's file is as large as `hard`
    point v1 hard-plain 0.77 3 0.9 3 --set compress.variant=a
    point v2 hard-plain 0.61 3 0.79 3 --set compress.variant=a
}

hard_seeds() {
    for seed in 2 3; do
        for net in v1 v2; do
            hard_point "$net" hard-seed$seed --seed $seed
            hard_point "$net" hard-magnitude-seed$seed --seed $seed \
                --set compress.method=magnitude --set compress.scale=channel
        done
    done
}

# methods_at POINT PREFIX NET: the same rates, hence about the same bytes, under the others
methods_at() {
    "$1" "$3" "${2}clipq" --set compress.method=clipq
    "$1" "$3" "${2}deep_compression" --set compress.method=deep_compression
    "$1" "$3" "${2}magnitude" --set compress.method=magnitude --set compress.scale=channel
}

number() { # number FILE KEY
    sed -n "s/^ *\"$2\": \([-0-9.e]*\),*\$/\1/p" "$1"
}

table() {
    printf '%-6s %-18s %7s %7s  %-22s %9s %8s %6s %7s %6s %6s\n' net cell float packed \
        'change (95 %)' base file B archive A C
    for run in "$out"/*/*/run.json; do
        [ -f "$run" ] || continue
        dir=$(dirname "$run")
        awk -v net="$(basename "$(dirname "$dir")")" -v cell="$(basename "$dir")" \
            -v f="$(number "$run" float_score_frac)" -v p="$(number "$run" packed_score_frac)" \
            -v lo="$(number "$run" change_low_frac)" -v hi="$(number "$run" change_high_frac)" \
            -v base="$(number "$run" float_bytes)" -v file="$(number "$run" file_bytes)" \
            -v small="$(wc -c <"$dir/archive.bin" 2>/dev/null || echo 0)" \
            -v a="$(number "$run" values_bytes)" -v c="$(number "$run" entropy_bytes)" \
            'BEGIN { printf "%-6s %-18s %7.2f %7.2f  %+.2f (%+.2f..%+.2f)  %9d %8d %6.2f %7.2f %6.2f %6.2f\n",
                     net, cell, 100 * f, 100 * p, 100 * (p - f), 100 * lo, 100 * hi, base,
                     file, base / file, small ? base / small : 0, base / a, base / c }'
    done
}

# What a packed file makes of every test picture: label, prediction.
predicted() { # predicted NET CELL
    [ -f "$out/$1/$2/predictions.csv" ] ||
        dscq_on "$1" "$out/$1/$2.cfg" eval -p "$out/$1/$2/packed.bin" \
            --predictions "$out/$1/$2/predictions.csv" >/dev/null
    echo "$out/$1/$2/predictions.csv"
}

# Mean over the seeds of ours less theirs, picture by picture: the pictures are the
# sample, so that three looks at one picture do not count as three.
seed_pairs() {
    for net in v1 v2; do
        files=""
        for cell in hard hard-magnitude; do
            for seed in "" -seed2 -seed3; do
                [ -f "$out/$net/$cell$seed/packed.bin" ] || continue 3
                files="$files $(predicted "$net" "$cell$seed")"
            done
        done
        # shellcheck disable=SC2086 # words of ours
        printf '%s: hard against hard-magnitude, mean of three seeds: %s\n' "$net" \
            "$(awk -F, 'FNR == 1 { file++; next }
                { right = ($1 == $2); d[FNR] += (file <= 3 ? right : -right) / 3 }
                END { for (i in d) { n++; s += d[i]; q += d[i] * d[i] }
                      m = s / n; e = 1.96 * sqrt((q / n - m * m) / n)
                      printf "%+.2f (95 %%: %+.2f..%+.2f)", 100 * m, 100 * (m - e), 100 * (m + e) }' $files)"
    done
}

pairs() {
    for net in v1 v2; do
        for pair in headline: hard:hard- hard-dw4:hard- hard-clipq:hard- hard:variant-; do
            ours=$out/$net/${pair%:*}
            for other in a plain dw4 clipq deep_compression magnitude; do
                theirs=$out/$net/${pair#*:}$other
                [ "$ours" != "$theirs" ] || continue
                { [ -f "$ours/packed.bin" ] && [ -f "$theirs/packed.bin" ]; } || continue
                printf '%s: %s against %s: ' "$net" "${pair%:*}" "${pair#*:}$other"
                dscq_on "$net" "$ours.cfg" eval -p "$ours/packed.bin" \
                    --baseline "$theirs/packed.bin" | tail -n 1
            done
        done
    done
}

for group in $groups; do
    case $group in
    headline) for net in v1 v2 alex small; do head_point $net headline; done ;;
    seeds)
        for seed in 2 3; do
            for net in v1 v2 alex; do head_point $net headline-seed$seed --seed $seed; done
        done
        ;;
    hard) for net in v1 v2; do hard_point $net hard; done ;;
    hard_dw) hard_dw ;;
    hard_plain) hard_plain ;;
    hard_seeds) hard_seeds ;;
    curve)
        point v1 p40b5 0.4 5 0.7 4 --set compress.variant=g
        head_point v1 p55b4-f --set compress.variant=f
        point v1 p65b3 0.65 3 0.88 3 --set compress.variant=g
        point v2 p30b5 0.3 5 0.5 4 --set compress.variant=g
        point v2 p40b4 0.4 4 0.65 3 --set compress.variant=g --set compress.epochs=$((2 * epochs))
        point v2 p40b4-seed2 0.4 4 0.65 3 --set compress.variant=g --set compress.epochs=$((2 * epochs)) --seed 2
        point v2 p40b4-c 0.4 4 0.65 3 --set compress.variant=c --set compress.epochs=$((2 * epochs))
        point v2 p40b4-f 0.4 4 0.65 3 --set compress.variant=f --set compress.epochs=$((2 * epochs))
        point v2 p57b4 0.57 4 0.8 3 --set compress.variant=f
        point alex p50b4 0.5 4 0.9 4 --set compress.partition=entropy
        point alex p70b4 0.7 4 0.96 3 --set compress.partition=entropy
        head_point small p40b4-c --set compress.method=clipq
        point small p60b4-c 0.6 4 - - --set compress.method=clipq
        ;;
    methods) methods_at head_point '' v1 ;;
    hard_methods) for net in v1 v2; do methods_at hard_point hard- $net; done ;;
    variants)
        for net in v1 v2; do # g is `hard` itself, c is hard-clipq
            for v in $variants; do hard_point "$net" "variant-$v" --set compress.variant="$v"; done
        done
        ;;
    pairs)
        pairs
        seed_pairs
        ;;
    table) table ;;
    *)
        echo "$group: no such group; there are $all_groups" >&2
        exit 2
        ;;
    esac
done
