#!/bin/sh
# What tools/demo and tools/check say where packages are missing and cannot be installed:
# one message with the line to copy, and exit code 7.
# shellcheck disable=SC2016 # words of the stubs
set -eu
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cp -R tools "$scratch/tools"
bin=$scratch/bin
mkdir "$bin"
for program in sh sed tr grep cat mkdir date dirname env sort tail rm; do
    ln -s "$(command -v "$program")" "$bin/$program"
done
first=$(sed -n 's/^build //p' tools/packages.txt | head -n 1)
compiler=$(sed -n 's/^check //p' tools/packages.txt | head -n 1)

# stub NAME BODY: a program of that name, before all others
stub() {
    printf '#!/bin/sh\n%s\n' "$2" >"$bin/$1"
    chmod +x "$bin/$1"
}

# try COMMAND...: its exit code in $code, its words in $said and $complained
try() {
    code=0
    PATH=$bin "$@" >"$scratch/out" 2>"$scratch/err" </dev/null || code=$?
    said=$(cat "$scratch/out")
    complained=$(cat "$scratch/err")
}

want() { # WHAT GOT WANTED-PATTERN
    # shellcheck disable=SC2254 # a pattern
    case $2 in
    $3) ;;
    *)
        echo "$1: got '$2', want '$3'"
        exit 1
        ;;
    esac
}

stub dpkg-query 'exit 1'
stub id 'echo 1000'
stub true 'exit 0'
stub apt-get 'echo called >>"$0.calls"; echo "E: no way to the packages"; exit 100'

for command in demo check; do
    try "$scratch/tools/$command"
    want "$command, no rights: exit code" "$code" 7
    want "$command, no rights: stdout" "$said" ""
    want "$command, no rights" "$complained" "*not root, no sudo*
    apt-get update && apt-get install -y --no-install-recommends $first *
then run this again."
    want "$command, no rights: lines" "$(grep -c . "$scratch/err")" 3
done
want "check asks for its own too" "$complained" "* $compiler *"

# a sudo that wants a password, and nobody to type it
stub sudo 'exit 1'
try "$scratch/tools/demo"
want "sudo with a password: exit code" "$code" 7
want "sudo with a password" "$complained" "*apt-get install *"
[ ! -e "$bin/apt-get.calls" ] || { echo "apt-get was called without rights"; exit 1; }

# a sudo that asks nothing, and an apt-get that fails
stub sudo '[ "$1" = -n ] && shift
exec "$@"'
try "$scratch/tools/demo"
want "apt-get fails: exit code" "$code" 7
want "apt-get fails" "$complained" "*E: no way to the packages*apt-get install *"
[ -e "$bin/apt-get.calls" ] || { echo "apt-get was not called with sudo"; exit 1; }

# everything there: nothing is asked of anybody
stub dpkg-query 'echo installed'
rm "$bin/apt-get.calls" "$bin/sudo"
cd "$scratch"
try sh -c '. tools/lib-install.sh && install_packages build check && echo there'
want "nothing missing" "$code $said $complained" "0 there "
[ ! -e "$bin/apt-get.calls" ] || { echo "apt-get was called for nothing"; exit 1; }

# no apt-get: the names, and on with it
rm "$bin/apt-get"
try sh -c '. tools/lib-install.sh && install_packages build'
want "no apt-get: exit code" "$code" 0
want "no apt-get" "$said" "*no apt-get*$first *"
echo "missing packages are named in every case"
