#!/bin/sh
# Every #include "dscq/<module>/..." under src/ and include/ must go down the stairs in
# floors.txt; every other quoted include must be a file of its own folder. Of the two
# headers that are installed, dscq/status.h is for all, dscq/dscq.h for its module, api.
#   tools/check_floors.sh [ROOT]
set -eu
cd "${1:-.}"
# shellcheck disable=SC2016 # awk's dollars
find src include -name '*.[ch]' | LC_ALL=C sort | xargs awk '
  BEGIN {
    while ((getline line < "tools/floors.txt") > 0) {
      split(line, a, " ")
      floor[a[1]] = a[2]
    }
  }
  /^[ \t]*#[ \t]*include[ \t]*"/ {
    split(FILENAME, p, "/")
    here = p[1] == "src" ? p[2] : p[3]
    match($0, /"[^"]+"/)
    inc = substr($0, RSTART + 1, RLENGTH - 2)
    if (inc == "dscq/status.h" || (inc == "dscq/dscq.h" && here == "api")) {
      next
    } else if (!(here in floor)) {
      print FILENAME ": module " here " has no floor"
      bad = 1
    } else if (split(inc, q, "/") == 3 && q[1] == "dscq") {
      if (q[2] != here && !(q[2] in floor && floor[q[2]] + 0 < floor[here] + 0)) {
        print FILENAME ":" FNR ": " here " may not include " inc
        bad = 1
      }
    } else if (inc ~ /\.\.\// || (index(inc, "/") && system("test -f src/" here "/" inc) != 0)) {
      print FILENAME ":" FNR ": private include " inc
      bad = 1
    }
  }
  END { exit bad }'
# A library of others is wrapped: one .c file of ours includes its header.
for header in zlib.h png.h jpeglib.h expat.h jansson.h sqlite3.h cblas.h; do
    users=$(grep -rlE "^[[:space:]]*#[[:space:]]*include[[:space:]]*<$header>" src include | LC_ALL=C sort)
    if [ "$(printf '%s' "$users" | grep -c .)" -gt 1 ]; then
        echo "<$header> is included by more than one file:"
        echo "$users"
        exit 1
    fi
done
