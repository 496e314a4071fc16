#!/bin/sh
# Search against hand-set recipes, resumable cell by cell.
#
#   bench/search.sh BUILD_DIR NET.cfg FLOAT.ckpt OUT [options of dscq compress: --set ...]
#
# Before fine-tuning, trial against trial on the same validation images, everything that loses
# no more than LOSS (default 0.1): the uniform (p, b) of GRID with the fewest bytes, against a
# search for bytes; the energy of a frame on MACHINE (default zynq7020) of that search's
# smallest file, against a search for energy. TRIALS (default 40) each.
#
# LAYERS=n (default 0: left out): the search for bytes again by CLIP-Q's protocol, one layer after
# the other, n trials in all (CLIP-Q takes 20 to 30 a layer).
#
# EPOCHS=n (default 0: left out): the winners fine-tuned, measured on the test part.
# A finished cell is not run again; a killed one goes on where it was.
set -eu
[ $# -ge 4 ] || { sed -n '2,/^set -eu/p' "$0" | sed '$d;s/^# \{0,1\}//'; exit 2; }
build=$1 net=$2 float=$3 out=$4
shift 4
machine=${MACHINE:-zynq7020} trials=${TRIALS:-40} loss=${LOSS:-0.1} epochs=${EPOCHS:-0}
layers=${LAYERS:-0}
grid=${GRID:-"0.3/4 0.5/4 0.6/4 0.7/4 0.75/4 0.8/4 0.5/3 0.6/3 0.7/3"}
mkdir -p "$out"

# search NAME OPTIONS: one folder, once; the sensitivity table is shared.
search() {
    name=$1
    shift
    [ ! -f "$out/$name/done" ] || return 0
    mkdir -p "$out/$name"
    if [ -f "$out/sensitivity.json" ] && [ ! -f "$out/$name/sensitivity.json" ]; then
        cp "$out/sensitivity.json" "$out/$name/"
    fi
    resume=
    [ ! -f "$out/$name/search.json" ] || resume=--resume
    # exit code 3 is an answer: this cell loses more than LOSS
    "$build/dscq" compress "$net" -w "$float" -o "$out/$name" $resume --machine "$machine" \
        --set search.finalists=0 --set search.trial_loss="$loss" "$@" \
        >"$out/$name.log" 2>&1 || [ $? -eq 3 ]
    [ ! -f "$out/$name/sensitivity.json" ] || cp "$out/$name/sensitivity.json" "$out/"
    : >"$out/$name/done"
}
# tune NAME RECIPE OPTIONS: the ordinary pipeline.
tune() {
    name=$1 recipe=$2
    shift 2
    [ ! -f "$out/$name.json" ] || return 0
    resume=
    [ ! -f "$out/$name/tune.ckpt" ] || resume=--resume
    "$build/dscq" compress "$net" --quiet -w "$float" -o "$out/$name" $resume \
        --recipe "$recipe" --set compress.epochs="$epochs" "$@" \
        --json="$out/$name.tmp" --force >"$out/$name.log"
    mv "$out/$name.tmp" "$out/$name.json"
}
# cell FILE COLUMN TRIAL: of a trials.csv.
cell() {
    awk -F, -v want="$2" -v row="$3" '{ sub(/\r$/, "") }
        NR == 1 { for (i = 1; i <= NF; i++) if ($i == want) c = i }
        NR > 1 && $1 == row { print $c }' "$1"
}
# least FILE COLUMN: the trial with the least of it among those that lose no more than LOSS.
least() {
    awk -F, -v want="$2" -v most="$loss" '{ sub(/\r$/, "") }
        NR == 1 { for (i = 1; i <= NF; i++) {
                      if ($i == want) c = i; if ($i == "loss_frac") l = i } }
        NR > 1 && $l != "" && $l + 0 <= most + 1e-9 && (best == "" || $c + 0 < v) {
            v = $c + 0; best = $1 }
        END { print best }' "$1"
}
row() {
    f=$out/$2/trials.csv
    echo "$1 $3 $(cell "$f" loss_frac "$3") $(cell "$f" bytes "$3") $(cell "$f" energy_pj "$3")" |
        awk '{ printf "%-14s %5d %8.4f %9d %12.2f\n", $1, $2, $3, $4, $5 / 1e6 }'
}
number() { sed -n "s/^ *\"$2\": \([-0-9.e+]*\),*\$/\1/p" "$1" | head -1; }
less() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.1f %%\n", 100 * (1 - b / a) }'; }

search bytes --search bayes --set search.trials="$trials" --set search.objective=bytes "$@"
search energy --search bayes --set search.trials="$trials" --set search.objective=energy "$@"
if [ "$layers" -gt 0 ]; then
    search bytes-layers --search bayes --set search.trials="$layers" \
        --set search.protocol=layers --set search.objective=bytes "$@"
fi
echo "not fine-tuned     trial  loss      bytes   energy, uJ ($machine)"
best='' fewest=''
for pb in $grid; do
    name=uniform-$(echo "$pb" | tr / -)
    search "$name" --search knapsack --set search.trials=1 --set compress.p="${pb%/*}" \
        --set compress.b="${pb#*/}" "$@"
    row "p/b=$pb" "$name" 0
    [ -n "$(least "$out/$name/trials.csv" bytes)" ] || continue
    bytes=$(cell "$out/$name/trials.csv" bytes 0)
    if [ -z "$fewest" ] || [ "$bytes" -lt "$fewest" ]; then
        best=$name fewest=$bytes
    fi
done
b=$(least "$out/bytes/trials.csv" bytes)
e=$(least "$out/energy/trials.csv" energy_pj)
row bytes bytes "$b"
row energy energy "$e"
winners="bytes:$b energy:$e"
if [ "$layers" -gt 0 ]; then
    lb=$(least "$out/bytes-layers/trials.csv" bytes)
    row bytes-layers bytes-layers "$lb"
    winners="$winners bytes-layers:$lb"
fi
[ -n "$best" ] || { echo "no uniform cell loses at most $loss"; exit 1; }
echo
echo "losing at most $loss: best uniform cell $best"
echo "bytes, search for bytes against it: less $(less "$fewest" "$(cell "$out/bytes/trials.csv" bytes "$b")")"
echo "energy, search for energy against search for bytes: less $(
    less "$(cell "$out/bytes/trials.csv" energy_pj "$b")" "$(cell "$out/energy/trials.csv" energy_pj "$e")")"
if [ "$layers" -gt 0 ]; then
    echo "bytes, joint search against layer by layer: less $(
        less "$(cell "$out/bytes-layers/trials.csv" bytes "$lb")" "$(cell "$out/bytes/trials.csv" bytes "$b")")"
fi

[ "$epochs" -gt 0 ] || exit 0
echo
echo "after $epochs epochs   float      packed (test part)       bytes   energy, uJ"
for of in "$best:0" $winners; do
    winner=${of%:*} trial=${of#*:}
    "$build/dscq" explain "$out/$winner" --recipe "$trial" >"$out/$winner.cfg"
    tune "tuned-$winner" "$out/$winner.cfg" "$@"
    j=$out/tuned-$winner.json
    "$build/dscq" simulate "$out/tuned-$winner/packed.bin" --machine "$machine" --no-data \
        --json="$out/sim.json" --force >/dev/null
    echo "$winner $(number "$j" float_score_frac) $(number "$j" packed_score_frac) \
$(number "$j" packed_low_frac) $(number "$j" packed_high_frac) $(number "$j" file_bytes) \
$(number "$out/sim.json" energy_pj)" |
        awk '{ printf "%-16s %7.2f %% %8.2f %% (%.2f..%.2f) %9d %10.2f\n", $1, 100 * $2, 100 * $3,
               100 * $4, 100 * $5, $6, $7 / 1e6 }'
done
