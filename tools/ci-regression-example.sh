#!/bin/sh
# An example for your own CI: end with exit code 3 when a new packed file is slower,
# hungrier or bigger than the one that was accepted last time.
#
#   tools/ci-regression-example.sh PACKED.bin ACCEPTED.json [MACHINE]
#
# The first run has nothing to compare with: it writes ACCEPTED.json. Commit that file;
# to accept a change for the worse, delete it and run again.
set -eu

packed=${1:?usage: ci-regression-example.sh PACKED.bin ACCEPTED.json [MACHINE]}
accepted=${2:?usage: ci-regression-example.sh PACKED.bin ACCEPTED.json [MACHINE]}
machine=${3:-zcu104}
dscq=${DSCQ:-dscq}

if [ ! -e "$accepted" ]; then
    "$dscq" report "$packed" --machine "$machine" --quiet --json="$accepted"
    echo "wrote $accepted: commit it"
    exit 0
fi

# Known when run.json, which `dscq compress` writes, lies beside the file.
set --
if grep -q '"packed_top1_frac"' "$accepted"; then
    set -- --fail-if 'packed_top1_frac<-0.005'
fi

# 3: a gate broke; anything else that is not 0: the comparison itself failed.
status=0
"$dscq" report "$packed" --machine "$machine" --quiet \
    --baseline "$accepted" \
    --fail-if 'energy_pj>+2%' \
    --fail-if 'cycles_per_frame>+2%' \
    --fail-if 'dram_read_bytes>+5%' \
    --fail-if 'file_bytes>+1%' "$@" || status=$?
case $status in
0) echo "no worse than $accepted" ;;
3) echo "worse than $accepted" >&2 ;;
*) echo "the comparison could not be made" >&2 ;;
esac
exit $status
