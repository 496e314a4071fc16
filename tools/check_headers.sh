#!/bin/sh
# Every public header compiles alone, as C11 and as C++.
#   tools/check_headers.sh [ROOT]
# shellcheck disable=SC2086 # CC and CXX may be several words
set -eu
cd "${1:-.}"
bad=0
# included, not compiled itself: clang calls an inline function of the main file unused
only() { # only HEADER COMPILER...
    echo "#include \"${1#include/}\"" | {
        shift
        "$@" -Werror -fsyntax-only -Iinclude -
    }
}
for header in $(find include -name '*.h' | LC_ALL=C sort); do
    if ! only "$header" ${CC:-cc} -std=c11 -Wall -Wextra -Wpedantic -x c; then
        echo "$header: does not compile alone as C11"
        bad=1
    fi
    if ! only "$header" ${CXX:-c++} -std=c++11 -Wall -Wextra -x c++; then
        echo "$header: does not compile alone as C++"
        bad=1
    fi
done
# the reader for boards: C99, and strict about conversions
for header in $(find include/dscq/embed -name '*.h' | LC_ALL=C sort); do
    if ! only "$header" ${CC:-cc} -std=c99 -Wall -Wextra -Wpedantic -Wconversion \
        -Wshadow -x c; then
        echo "$header: does not compile as strict C99"
        bad=1
    fi
done
exit $bad
