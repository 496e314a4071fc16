#!/bin/sh
# What README.md tells to type is what is tested: .ci/run runs its two commands as they stand
# there, they exist, and the packages it names are those of tools/packages.txt.
# shellcheck disable=SC2016 # words of the fakes
set -eu
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

want() {
    if [ "$2" != "$3" ]; then
        echo "$1: got '$2', want '$3'"
        exit 1
    fi
}

want "commands of .ci/run" "$(.ci/run --list)" "$(printf 'tools/demo\ntools/check')"
for command in $(.ci/run --list); do
    [ -x "$command" ] || { echo "$command: no such program"; exit 1; }
done

# another README, another run
mkdir "$scratch/.ci"
cp .ci/run "$scratch/.ci/"
sed 's|^    tools/check  *#|    tools/check other # |' README.md >"$scratch/README.md"
want "of a changed README" "$("$scratch/.ci/run" --list | tail -n 1)" "tools/check other"
: >"$scratch/README.md"
if "$scratch/.ci/run" >/dev/null 2>&1; then
    echo ".ci/run held with nothing to run"
    exit 1
fi

# what becomes of the commands: on a bare machine when there is one, else here; all of them run
fake() { # tools/NAME BODY
    printf '#!/bin/sh\n%s\n' "$2" >"$scratch/tools/$1"
    chmod +x "$scratch/tools/$1"
}
mkdir "$scratch/tools"
printf '## First minutes\n\n    tools/one      # one\n    tools/two -x   # two\n' >"$scratch/README.md"
fake one 'echo "one$*"; exit 3'
fake two 'echo "two$*"; if read -r line; then echo "$line"; fi'
fake bare 'if [ "$1" = --can ]; then echo "no moon"; exit 7; fi'
code=0
said=$(echo input | "$scratch/.ci/run") || code=$?
want "here" "$code $said" "3 On this machine as it is, for a bare one cannot be made: no moon
\$ tools/one
one
\$ tools/two -x
two-x
FAILED: tools/one"
fake bare 'if [ "$1" = --can ]; then exit 0; fi; echo "bare:"; exec "$@"'
fake one 'echo one'
want "in a bare root" "$("$scratch/.ci/run")" "bare:
\$ tools/one
one
\$ tools/two -x
two-x"

# By hand: the same packages
want "packages by hand" \
    "$(sed -n '/^    apt-get install/,/[^\\]$/p' README.md | tr -s ' \\\n' '\n' |
        grep -vxE 'apt-get|install|-.*|' | LC_ALL=C sort | tr '\n' ' ')" \
    "$(sed -n 's/^build //p' tools/packages.txt | LC_ALL=C sort | tr '\n' ' ')"
echo "README.md and what is run agree"
