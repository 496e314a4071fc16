#!/bin/sh
# docs/architecture.md and its picture have every module of tools/floors.txt on its floor,
# and no other; the files that it names are there.
# shellcheck disable=SC2016 # backquotes of Markdown
set -eu
page=docs/architecture.md
bad=0
wrong() {
    echo "$1"
    bad=1
}

paged=$(sed -n 's/^| \([0-7]\) | `\([a-z]*\)` |.*/\2 \1/p' "$page" | LC_ALL=C sort)
[ "$paged" = "$(LC_ALL=C sort tools/floors.txt)" ] ||
    wrong "$page has other floors than tools/floors.txt: $paged"
drawn=$(sed -n 's/.*font-weight="bold"[^>]*>\([a-z]*\)<.*/\1/p' docs/architecture.svg)
[ "$(echo "$drawn" | LC_ALL=C sort)" = "$(cut -d' ' -f1 tools/floors.txt | LC_ALL=C sort)" ] ||
    wrong "docs/architecture.svg has other modules than tools/floors.txt: $drawn"
for path in $(grep -o '`[a-z_/]*\.\(def\|h\|c\)`' "$page" | tr -d '`'); do
    [ -e "$path" ] || [ -e "include/$path" ] || [ -e "include/dscq/$path" ] ||
        wrong "$page: $path is not there"
done
exit $bad
