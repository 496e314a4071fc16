#!/bin/sh
# examples/dscq.py over the built library: the same numbers as from C. 77: cannot be run.
#   python.sh BUILD-FOLDER
set -eu
build=$1
here=$(cd "$(dirname "$0")" && pwd)
for python in python3 /usr/bin/python3; do
    if "$python" -c 'import numpy' 2>/dev/null; then
        scratch=$(mktemp -d)
        trap 'rm -rf "$scratch"' EXIT
        PYTHONPATH=$here/../../examples${PYTHONPATH:+:$PYTHONPATH} \
            DSCQ_LIBRARY=$build/libdscq.so "$python" -B "$here/use.py" "$here/small.cfg" "$scratch"
        exit 0
    fi
done
echo "SKIP: no python3 with NumPy (Debian: python3-numpy)"
exit 77
