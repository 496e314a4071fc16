#!/bin/sh
# What a second thread brings in training: images per second with one thread, with two,
# and of two programs of one thread side by side (what the machine can give at most),
# in turn.
#   bench/threads.sh BUILD ROUNDS NET...
# Wants two idle cores. Prints each round's ratios to one thread and their medians.
set -eu
[ $# -ge 3 ] || {
    echo "usage: bench/threads.sh BUILD ROUNDS NET..." >&2
    exit 2
}
bench=$1/bench/bench_train_step
rounds=$2
shift 2
[ -x "$bench" ] || {
    echo "$bench: not there; build with -DDSCQ_BENCH=ON" >&2
    exit 2
}
unset OPENBLAS_CORETYPE
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# rate THREADS CPUS NET: images per second
rate() {
    taskset -c "$2" "$bench" --seconds 0.4 --threads "$1" "$3" | awk '{ print $3 }'
}

median() {
    sort -n | awk '{ v[NR] = $1 } END { printf "%.2f", (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}

for net in "$@"; do
    : >"$work/two"
    : >"$work/pair"
    round=1
    while [ "$round" -le "$rounds" ]; do
        one=$(rate 1 0 "$net")
        two=$(rate 2 0,1 "$net")
        rate 1 0 "$net" >"$work/a" &
        rate 1 1 "$net" >"$work/b"
        wait
        pair=$(cat "$work/a" "$work/b" | awk '{ s += $1 } END { print s }')
        again=$(rate 1 1 "$net")
        echo "$net $round $one $again $two $pair" | awk -v d="$work" '{
            one = ($3 + $4) / 2
            printf "%-11s round %d: one %.1f two threads %.1f (%.2f) two programs %.1f (%.2f)\n",
                $1, $2, one, $5, $5 / one, $6, $6 / one
            print $5 / one >> (d "/two")
            print $6 / one >> (d "/pair") }'
        round=$((round + 1))
    done
    printf '%-11s median: two threads %s, two programs %s\n' "$net" \
        "$(median <"$work/two")" "$(median <"$work/pair")"
done
