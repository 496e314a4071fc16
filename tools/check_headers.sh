#!/bin/sh
# Every public header compiles alone, as C11 and as C++.
#   tools/check_headers.sh [ROOT]
set -eu
cd "${1:-.}"
bad=0
for header in $(find include -name '*.h' | LC_ALL=C sort); do
    if ! ${CC:-cc} -std=c11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only \
            -Iinclude -x c "$header"; then
        echo "$header: does not compile alone as C11"
        bad=1
    fi
    if ! ${CXX:-c++} -std=c++11 -Wall -Wextra -Werror -fsyntax-only \
            -Iinclude -x c++ "$header"; then
        echo "$header: does not compile alone as C++"
        bad=1
    fi
done
# the reader for boards: C99, and strict about conversions
for header in $(find include/dscq/embed -name '*.h' | LC_ALL=C sort); do
    if ! ${CC:-cc} -std=c99 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror \
            -fsyntax-only -Iinclude -x c "$header"; then
        echo "$header: does not compile as strict C99"
        bad=1
    fi
done
exit $bad
