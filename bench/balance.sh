#!/bin/sh
# Lane-balanced pruning against plain magnitude pruning: how long the lanes of the machine
# wait for each other, resumable cell by cell.
#
#   bench/balance.sh BUILD_DIR NET.cfg FLOAT.ckpt OUT [options of dscq compress: --set ...]
#
# At every rate of RATES (default "0.75 0.9") the float network is compressed for EPOCHS
# (default 2) with method = magnitude and, for every lanes/tile of SHAPES (default
# "8/64 32/64 32/16"), with method = balance; every file is timed on MACHINES (default
# "zynq7020:schedule.balance=no zynq7020 zynq7020:queue_depth=1 zcu104"; behind a colon: a
# machine key set otherwise; schedule.balance=no deals channels to lanes by their number).
# A row a file and machine: accuracy on the test part, non-zero weights, cycles of a frame, and
# of the array's cycles the shares that multiply and that lanes wait for each other.
# A finished cell is not run again; a killed one goes on where it was.
set -eu
[ $# -ge 4 ] || { sed -n '2,/^set -eu/p' "$0" | sed '$d;s/^# \{0,1\}//'; exit 2; }
build=$1 net=$2 float=$3 out=$4
shift 4
rates=${RATES:-"0.75 0.9"} shapes=${SHAPES:-"8/64 32/64 32/16"} epochs=${EPOCHS:-2}
machines=${MACHINES:-"zynq7020:schedule.balance=no zynq7020 zynq7020:queue_depth=1 zcu104"}
DSCQ_DATA=${DSCQ_DATA:-$(cd "$(dirname "$0")/.." && pwd)/data}
export DSCQ_DATA
mkdir -p "$out"

# compress NAME OPTIONS: one file, once.
compress() {
    name=$1
    shift
    [ ! -f "$out/$name.json" ] || return 0
    resume=
    [ ! -f "$out/$name/tune.ckpt" ] || resume=--resume
    "$build/dscq" compress "$net" --quiet -w "$float" -o "$out/$name" $resume \
        --set compress.epochs="$epochs" --json="$out/$name.tmp" --force "$@" >"$out/$name.log"
    mv "$out/$name.tmp" "$out/$name.json"
}
number() { sed -n "s/^ *\"$2\": \([-0-9.e+]*\),*\$/\1/p" "$1" | head -1; }
# stall FILE CAUSE: its share of the array's cycles.
stall() {
    awk -v want="\"$2\"," '/"unit":/ { unit = $2 } /"cause":/ { cause = $2 }
        /"cycles_frac":/ && unit == "\"compute\"," && cause == want { print $2 + 0; exit }' "$1"
}
# rows NAME: a line a machine.
rows() {
    for on in $machines; do
        set -- "$1" --machine "${on%%:*}"
        [ "${on#*:}" = "$on" ] || set -- "$@" --set "${on#*:}"
        name=$1
        shift
        sim=$out/$name@$on.json
        [ -f "$sim" ] || {
            "$build/dscq" simulate "$out/$name/packed.bin" "$@" --no-data --json="$sim.tmp" \
                --force >/dev/null
            mv "$sim.tmp" "$sim"
        }
        echo "$name $on $(number "$out/$name.json" packed_score_frac) \
$(number "$sim" nonzero_weights) $(number "$sim" cycles_per_frame) \
$(stall "$sim" compute) $(stall "$sim" imbalance)"
        set -- "$name"
    done | awk '{ printf "%-20s %-28s %6.2f %% %9d %10d %7.2f %% %7.2f %%\n", $1, $2, 100 * $3, $4,
                  $5, 100 * $6, 100 * $7 }'
}

echo "file                 machine                       top-1       weights     cycles  multiply  lanes wait"
for p in $rates; do
    compress "magnitude-$p" --set compress.method=magnitude --set compress.p="$p" "$@"
    rows "magnitude-$p"
    for shape in $shapes; do
        name=balance-$p-$(echo "$shape" | tr / x)
        compress "$name" --set compress.method=balance --set compress.p="$p" \
            --set compress.lanes="${shape%/*}" --set compress.tile="${shape#*/}" "$@"
        rows "$name"
    done
done
