#!/bin/sh
# Training step and memory against PyTorch, interleaved, one thread, pinned to one CPU.
#
#   bench/peer_train.sh BUILD_DIR [ROUNDS] [NET...]
#
# The peer is $DSCQ_SHARED/peers/train_torch.py (default ../shared beside the project)
# run by $PYTHON (default python3, then /usr/bin/python3) with channels_last and the
# malloc settings that suit it best. CPU=n chooses the core (default 1). Both count CPU
# time, so that a busy machine spoils them least. Prints images per second of each
# round and, per net, the median of the ratios; then the peak resident set of both, the
# peer's without the malloc settings, which is less. Without PyTorch: a SKIP line, exit
# code 0.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
build=${1:?usage: peer_train.sh BUILD_DIR [ROUNDS] [NET...]}
[ -x "$build/bench/bench_train_step" ] || {
    echo "peer_train.sh: no $build/bench/bench_train_step; configure with -DDSCQ_BENCH=ON" >&2
    exit 7
}
rounds=${2:-5}
if [ $# -gt 2 ]; then shift 2; else shift $#; fi
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
# its clock becomes CPU time; the last line is its peak resident set
run='import resource, runpy, sys, time
time.time = time.process_time
sys.path.insert(0, ".")
runpy.run_path("train_torch.py", run_name="__main__")
print("rss_mb=%.0f" % (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024e-6))'
peer() {
    (cd "$shared/peers" && OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1 \
        taskset -c "$cpu" "$python" -c "$run" 1 1 128 "$1")
}
tuned() {
    MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=100000000000 MALLOC_TOP_PAD_=268435456 \
        peer "$1" | sed -n 's/.*nhwc.*median=\([0-9.]*\).*/\1/p'
}
ours() {
    taskset -c "$cpu" "$build/bench/bench_train_step" --cpu --seconds 0.4 "$1"
}
for net in $nets; do
    : >"$out"
    i=0
    while [ $i -lt "$rounds" ]; do
        a=$(ours "$net" | awk '{ print $3 }')
        b=$(tuned "$net")
        echo "$net round $i ours $a peer $b"
        echo "$a $b" | awk '{ print $1 / $2 }' >>"$out"
        i=$((i + 1))
    done
    sort -n "$out" | awk -v net="$net" '{ v[NR] = $1 } END {
        printf "%-12s ratio median %.2f (%.2f .. %.2f) of %d pairs\n", net,
               v[int((NR + 1) / 2)], v[1], v[NR], NR }'
    a=$(ours "$net" | sed 's/.*planned_mb \([0-9.]*\) peak_rss_mb \([0-9.]*\).*/\1 \2/')
    b=$(peer "$net" | sed -n 's/^rss_mb=//p')
    echo "$a $b" | awk -v net="$net" '{
        printf "%-12s memory: planned %.0f MB, resident %.0f MB, peer %.0f MB, ratio %.2f\n",
               net, $1, $2, $3, $2 / $3 }'
done
