#!/bin/sh
# Install into an empty prefix, move it, and use it from there: the program, its data
# and pages, a small program built with pkg-config, and one with find_package, examples/;
# what the library shows is what its header declares, and its soname what is promised.
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
# a moved shared library finds its data beside itself; a moved archive is told
DSCQ_DATA=$prefix/share/dscq
export DSCQ_DATA
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

unset DSCQ_DATA

# another version is refused as the soname would refuse it at run time: 0.1 alone fits
for version_wanted in 0.0 0.2 1.0; do
    sed "s/find_package(dscq 0.1/find_package(dscq $version_wanted/" "$here/CMakeLists.txt" \
        >other.txt
    mkdir -p "other-$version_wanted"
    cp other.txt "other-$version_wanted/CMakeLists.txt"
    cp "$here/consumer.c" "other-$version_wanted/"
    if "$cmake" -S "other-$version_wanted" -B "other-$version_wanted/build" -G "$generator" \
        -DCMAKE_C_COMPILER="$cc" -DCMAKE_PREFIX_PATH="$prefix" >/dev/null 2>&1; then
        echo "find_package(dscq $version_wanted) was content with $version"
        exit 1
    fi
done
number=${version#dscq }
case $number in
0.*) soname=libdscq.so.${number%.*} ;; # 0.y, as docs/library.md says
*) soname=libdscq.so.${number%%.*} ;;
esac
want "soname" "$(readelf -d "$lib/libdscq.so" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')" "$soname"

# shown: what the headers declare, at most 120 names, in the shared library and the archive
for header in "$prefix"/include/dscq/*.h; do
    sed -n 's/^DSCQ_API.*[ *]\(dscq_[a-z0-9_]*\)(.*/\1/p' "$header"
done | LC_ALL=C sort >declared
symbols() { nm -D --defined-only "$lib/libdscq.so" | awk '$2 != "A" {print $3}'; }
symbols | sed 's/@.*//' | LC_ALL=C sort >shown
want "declared in the header and not shown, or the other way" "$(diff declared shown)" ""
want "shown with another version than" "$(symbols | sed 's/.*@//' | sort -u)" \
    "DSCQ_${number%.*}"
nm -g --defined-only "$lib/libdscq.a" 2>/dev/null | awk 'NF == 3 {print $3}' |
    LC_ALL=C sort >archived
want "global in libdscq.a and not declared, or the other way" "$(diff declared archived)" ""
if [ "$(wc -l <shown)" -gt 120 ]; then
    echo "$(wc -l <shown) names are shown: more than 120"
    exit 1
fi
want "headers" "$(cd "$prefix/include" && find . -type f | LC_ALL=C sort | tr '\n' ' ')" \
    "./dscq/dscq.h ./dscq/embed/packed_reader.h ./dscq/status.h "

"$here/examples.sh" "$prefix" "$cc"

for file in share/man/man1/dscq.1 share/man/man1/dscq-version.1 \
    share/man/man5/dscq-packed.5 \
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
