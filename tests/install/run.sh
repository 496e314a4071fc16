#!/bin/sh
# Install into an empty prefix, move it, and use it from there: the program, its data
# and pages, a small program built with pkg-config, and one with find_package.
#   run.sh BUILD-FOLDER CMAKE C-COMPILER GENERATOR
set -eu
build=$1
cmake=$2
cc=$3
generator=$4
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

"$cmake" --install "$build" --prefix "$scratch/first" >/dev/null
mv "$scratch/first" "$scratch/prefix" # nothing in it may know where it was
prefix=$scratch/prefix
cd "$scratch"

want() {
    if [ "$2" != "$3" ]; then
        echo "$1: got '$2', want '$3'"
        exit 1
    fi
}

version=$("$prefix/bin/dscq" version | head -n 1)
want "installed program" "${version%% *}" dscq

pc=$(find "$prefix" -name dscq.pc)
PKG_CONFIG_PATH=$(dirname "$pc")
lib=$(dirname "$PKG_CONFIG_PATH")
export PKG_CONFIG_PATH
# shellcheck disable=SC2046 # words are wanted
"$cc" -o shared "$here/consumer.c" $(pkg-config --cflags --libs dscq)
want "pkg-config, shared" "$(LD_LIBRARY_PATH=$lib ./shared)" "$version"
# as docs/portability.md says: the archive with others' shared libraries, and nothing shared
# shellcheck disable=SC2046
"$cc" -o static "$here/consumer.c" $(pkg-config --cflags dscq) \
    -Wl,-Bstatic -ldscq -Wl,-Bdynamic $(pkg-config --static --libs dscq)
want "pkg-config, static" "$(./static)" "$version"
# shellcheck disable=SC2046
"$cc" -static -o alone "$here/consumer.c" $(pkg-config --static --cflags --libs dscq)
want "pkg-config, static alone" "$(./alone)" "$version"

"$cmake" -S "$here" -B consumer -G "$generator" -DCMAKE_C_COMPILER="$cc" \
    -DCMAKE_PREFIX_PATH="$prefix" >/dev/null
"$cmake" --build consumer >/dev/null
want "find_package, shared" "$(./consumer/consumer)" "$version"
want "find_package, static" "$(./consumer/consumer_static)" "$version"

# shown: the public functions and tables, nothing else
others=$(nm -D --defined-only "$lib/libdscq.so" | awk '$3 !~ /^dscq_/ {print $3}')
want "symbols of libdscq.so without the prefix" "$others" ""

for file in share/man/man1/dscq.1 share/man/man1/dscq-version.1 \
    share/man/man5/dscq-packed.5 include/dscq/embed/packed_reader.h \
    share/bash-completion/completions/dscq share/zsh/site-functions/_dscq \
    share/fish/vendor_completions.d/dscq.fish share/dscq/machines; do
    if [ ! -e "$prefix/$file" ]; then
        echo "$file: not installed"
        exit 1
    fi
done
if command -v mandoc >/dev/null 2>&1; then
    for page in "$prefix"/share/man/man[15]/*; do
        mandoc -T lint -W warning "$page"
    done
fi

# completion, as bash would call it
PATH=$prefix/bin:$PATH
bash -c '. "$0/share/bash-completion/completions/dscq"
    COMP_WORDS=(dscq vers) COMP_CWORD=1 && _dscq
    test "${COMPREPLY[*]}" = version' "$prefix"

if grep -rIl "$(dirname "$here")" "$prefix" | grep -v '/bin/'; then
    echo "an installed file names the source folder"
    exit 1
fi
echo "installed, moved and used: $version"
