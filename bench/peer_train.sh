#!/bin/sh
# Training step against PyTorch, interleaved, one thread, pinned to one CPU.
#
#   bench/peer_train.sh BUILD_DIR [ROUNDS] [NET...]
#
# The peer is $DSCQ_SHARED/peers/train_torch.py (default ../shared beside the project)
# run by $PYTHON (default python3) with channels_last and the malloc settings that suit
# it best. CPU=n chooses the core (default 1). Prints images per second of each round
# and, per net, the median of the ratios. Without PyTorch: a SKIP line, exit code 0.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
build=${1:?usage: peer_train.sh BUILD_DIR [ROUNDS] [NET...]}
rounds=${2:-5}
[ $# -gt 2 ] && shift 2 || shift $#
nets=${*:-mbv1-0.25 mbv1-0.5 mbv1-1.0 tinydsc96 mbv2-1.0 alex-cifar}
shared=${DSCQ_SHARED:-$here/../shared}
python=${PYTHON:-python3}
"$python" -c 'import torch' 2>/dev/null || python=/usr/bin/python3
cpu=${CPU:-1}
script=$shared/peers/train_torch.py
if [ ! -f "$script" ] || ! "$python" -c 'import torch' 2>/dev/null; then
    echo "SKIP: no PyTorch for $python, or no $script"
    exit 0
fi
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE || true
out=$(mktemp)
trap 'rm -f "$out"' EXIT INT TERM
peer() {
    (cd "$shared/peers" && OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1 MALLOC_MMAP_MAX_=0 \
        MALLOC_TRIM_THRESHOLD_=100000000000 MALLOC_TOP_PAD_=268435456 \
        taskset -c "$cpu" "$python" train_torch.py 1 1 128 "$1") |
        awk '/nhwc/ { for (i = 1; i <= NF; i++) if ($i ~ /^median=/) print substr($i, 8) }'
}
ours() {
    taskset -c "$cpu" "$build/bench/bench_train_step" --seconds 0.4 "$1" |
        awk '{ print $3 }'
}
for net in $nets; do
    : >"$out"
    i=0
    while [ $i -lt "$rounds" ]; do
        a=$(ours "$net")
        b=$(peer "$net")
        echo "$net round $i ours $a peer $b"
        echo "$a $b" | awk '{ print $1 / $2 }' >>"$out"
        i=$((i + 1))
    done
    sort -n "$out" | awk -v net="$net" '{ v[NR] = $1 } END {
        printf "%-12s ratio median %.2f (%.2f .. %.2f) of %d pairs\n", net,
               v[int((NR + 1) / 2)], v[1], v[NR], NR }'
done
