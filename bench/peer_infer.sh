#!/bin/sh
# Inference against ncnn (float and 8 bits) and PyTorch (traced float, 8 bits),
# interleaved, one thread, pinned to one CPU, batch 1.
#
#   bench/peer_infer.sh BUILD_DIR [ROUNDS] [NET...]
#
# NCNN: where ncnn is installed (its include/ and lib/). PYTHON: a Python with PyTorch
# (default python3, then /usr/bin/python3); the networks are those of
# $DSCQ_SHARED/peers/models.py (default ../shared beside the project). CPU=n chooses the
# core (default 1). A peer that is not there is named and left out; without any: a SKIP
# line, exit code 0. All times are CPU time, so that a busy machine spoils them least.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
build=${1:?usage: peer_infer.sh BUILD_DIR [ROUNDS] [NET...]}
[ -x "$build/bench/bench_infer_int" ] || {
    echo "peer_infer.sh: no $build/bench/bench_infer_int; configure with -DDSCQ_BENCH=ON" >&2
    exit 7
}
rounds=${2:-5}
if [ $# -gt 2 ]; then shift 2; else shift $#; fi
shared=${DSCQ_SHARED:-$here/../shared}
python=${PYTHON:-python3}
"$python" -c 'import torch' 2>/dev/null || python=/usr/bin/python3
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT INT TERM
peers=
if [ -f "$shared/peers/models.py" ] && "$python" -c 'import torch' 2>/dev/null; then
    peers="torch=$shared/peers"
else
    echo "no PyTorch for $python, or no $shared/peers/models.py: left out" >&2
fi
if [ -n "${NCNN:-}" ] && ${CC:-cc} -O2 -I "$NCNN/include" "$here/bench/peer_ncnn.c" \
    -o "$tmp/peer_ncnn" -L "$NCNN/lib" -lncnn -lgomp -lstdc++ -lm -lpthread; then
    peers="$peers ncnn=$tmp/peer_ncnn"
else
    echo "no ncnn (NCNN=${NCNN:-} holds no include/ncnn and lib/libncnn): left out" >&2
fi
[ -n "$peers" ] || {
    echo "SKIP: neither ncnn nor PyTorch is here"
    exit 0
}
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE || true
export OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1 MALLOC_MMAP_MAX_=0 \
    MALLOC_TRIM_THRESHOLD_=100000000000 MALLOC_TOP_PAD_=268435456
# shellcheck disable=SC2086 # one word a peer
taskset -c "${CPU:-1}" "$python" "$here/bench/peer_infer.py" "$build/bench" "$rounds" \
    "$tmp" $peers -- "$@"
