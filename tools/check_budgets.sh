#!/bin/sh
# Print what is larger than we aim for; nothing fails on it, reasons are weighed in
# review. Mutable objects, and calls of exit, abort or printf below the command line,
# do fail.
#   tools/check_budgets.sh [BUILD-FOLDER]
set -eu
build=${1:-build}
bad=0

echo "Files over 500 lines:"
find src include tests tools -name '*.[ch]' -exec wc -l {} + |
    awk '$2 != "total" && $1 > 500 {printf "  %5d %s\n", $1, $2}' | sort -rn

if command -v ctags >/dev/null 2>&1; then
    echo "Functions over 60 lines or with more than eight parameters:"
    find src tools -name '*.c' -print0 | xargs -0 ctags -f - --kinds-C=f --fields=neS \
        2>/dev/null | awk -F'\t' '
        { line = end = 0; signature = ""
          for (i = 4; i <= NF; i++) {
            if ($i ~ /^line:/) line = substr($i, 6)
            if ($i ~ /^end:/) end = substr($i, 5)
            if ($i ~ /^signature:/) signature = $i
          }
          lines = end - line + 1; parameters = gsub(/,/, ",", signature) + 1
          if (lines > 60 || parameters > 8)
            printf "  %4d lines, %d parameters  %s (%s)\n", lines, parameters, $1, $2 }'
fi

# Hooks by which the tests count and fail memory and disks; the library of linear algebra,
# chosen and loaded once a process.
allowed='^(made|fail_at|asked|fail_write_in|deciding|decided|loaded)$'
for archive in "$build"/libdscq_*.a; do
    [ -f "$archive" ] || continue
    [ "${archive##*/}" != libdscq_cli.a ] || continue # the program's own, not the library's
    # .data.rel.ro is constant once the addresses in it are known
    mutable=$(objdump -t "$archive" 2>/dev/null |
        awk '/ O \.(data|bss|tbss|tdata)/ && !/ \.data\.rel\.ro/ {
            name = $NF; sub(/\..*/, "", name); print name }' |
        grep -vE "$allowed|^__" | sort -u | tr '\n' ' ')
    if [ -n "$mutable" ]; then
        echo "Mutable objects in $(basename "$archive"): $mutable"
        bad=1
    fi
done

calls=$(grep -rnE '(^|[^_[:alnum:]])(exit|abort|printf|puts|putchar)\(' src --include='*.c' |
    grep -vE '^src/cli/|^[^:]*:[0-9]*: *(\*|/\*|//)' || true)
if [ -n "$calls" ]; then
    echo "Calls that only src/cli may make:"
    echo "$calls"
    bad=1
fi
exit $bad
