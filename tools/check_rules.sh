#!/bin/sh
# The numbered rules of docs/dram.md and docs/accelerator.md (**R2.1**) stand in the code
# where they act and in a test beside the assertion that would fail, as [R2.1] in a
# comment or as "F1: ..." in the text that a row shows; and no other number stands there.
#   tools/check_rules.sh [ROOT]
set -eu
cd "${1:-.}"
bad=0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
id='(PL|PF|[LRWBPVTDMFS])[0-9]+(\.[0-9]+)?'

# tags FOLDER...: the rules that the .c and .h files there name
tags() {
    find "$@" -name '*.[ch]' -exec grep -ohE "\[$id\]|\"$id: " {} + |
        tr -d '[]": ' | LC_ALL=C sort -u
}
grep -ohE "\*\*$id\*\*" docs/dram.md docs/accelerator.md | tr -d '*' |
    LC_ALL=C sort >"$scratch/docs"
twice=$(uniq -d "$scratch/docs")
if [ -n "$twice" ]; then
    echo "two rules of one number in the documents: $twice"
    bad=1
fi
tags src/dram src/hw src/lower include >"$scratch/code"
tags tests/unit tests/cycle >"$scratch/tests"
for kind in code tests; do
    none=$(LC_ALL=C comm -23 "$scratch/docs" "$scratch/$kind" | tr '\n' ' ')
    if [ -n "$none" ]; then
        echo "rules that the $kind do not name: $none"
        bad=1
    fi
    more=$(LC_ALL=C comm -13 "$scratch/docs" "$scratch/$kind" | tr '\n' ' ')
    if [ -n "$more" ]; then
        echo "the $kind name what the documents do not have: $more"
        bad=1
    fi
done
exit $bad
