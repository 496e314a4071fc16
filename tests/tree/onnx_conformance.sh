#!/bin/sh
# onnx_conformance.sh PROGRAM: of the models of Debian's libonnx-testdata none fails, and
# the number matched, and made networks of, never falls. Raise the bounds when it grows.
set -eu
least=944
networks=67
data=/usr/share/libonnx-testdata/data
[ -d "$data" ] || { echo "SKIP: no $data (apt-get install libonnx-testdata)"; exit 77; }
line=$("$1" "$data" | tail -1)
echo "$line"
# 1072 models: 944 matched (67 of them as networks too), 128 refused, 0 failed
# shellcheck disable=SC2046 # the numbers, a word each
set -- $(echo "$line" | tr -dc '0-9 \n')
[ "$5" -eq 0 ] || { echo "some failed"; exit 1; }
[ "$2" -ge "$least" ] || { echo "matched fewer than $least"; exit 1; }
[ "$3" -ge "$networks" ] || { echo "fewer than $networks as networks"; exit 1; }
