#!/bin/sh
# cmake_missing.sh CMAKE GENERATOR: where libraries are missing configuring stops once, with
# the package of each and the option that does without it.
set -eu
cmake=$1
generator=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# pkg-config finds nothing at all
if said=$(PKG_CONFIG_LIBDIR=$scratch PKG_CONFIG_PATH='' "$cmake" -S . -B "$scratch/build" \
    -G "$generator" -DCMAKE_DISABLE_FIND_PACKAGE_PNG=ON 2>&1); then
    echo "configured without libraries: $said"
    exit 1
fi
want() {
    case $said in
    *"$1"*) ;;
    *)
        echo "not said: '$1' in:"
        echo "$said"
        exit 1
        ;;
    esac
}
want 'libpng (Debian, Ubuntu: libpng-dev)'
want 'check (Debian, Ubuntu: check), or do without: -DDSCQ_TESTS=OFF'
want 'apt-get install libpng-dev'
count=0
# shellcheck disable=SC2013 # words are wanted
for macro in $(sed -n 's/^dscq_optional([a-z]* *[^ ]* *\([A-Z]*\) .*/\1/p' cmake/options.cmake); do
    want "or do without: -DDSCQ_WITH_$macro=OFF"
    set -- "$@" "-DDSCQ_WITH_$macro=OFF"
    count=$((count + 1))
done
[ "$count" -ge 4 ] || { echo "only $count optional libraries were found"; exit 1; }
if [ "$(echo "$said" | grep -c 'CMake Error at')" -ne 1 ]; then
    echo "more than one stop: $said"
    exit 1
fi

# and with every option off nothing of them is asked for
shift 2
if ! said=$(PKG_CONFIG_LIBDIR=$scratch PKG_CONFIG_PATH='' "$cmake" -S . -B "$scratch/build" \
    -G "$generator" -DDSCQ_TESTS=OFF -DDSCQ_WITH_BLAS=OFF "$@" \
    -DCMAKE_DISABLE_FIND_PACKAGE_PNG=OFF 2>&1); then
    echo "does not configure without the optional libraries: $said"
    exit 1
fi
want ' -ONNX'
echo "$count optional libraries name their switch and package"
