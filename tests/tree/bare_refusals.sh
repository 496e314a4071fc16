#!/bin/sh
# tools/bare where no bare root can be made: one line that says why, exit code 7; and
# nothing is left behind.
set -eu
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
bin=$scratch/bin
mkdir "$bin" "$scratch/place"
DSCQ_BARE_DIR=$scratch/place
export DSCQ_BARE_DIR

stub() {
    printf '#!/bin/sh\n%s\n' "$2" >"$bin/$1"
    chmod +x "$bin/$1"
}

# refuses CODE WORDS ARGUMENT...
refuses() {
    wanted=$1
    words=$2
    shift 2
    code=0
    said=$(PATH=$bin:$PATH tools/bare "$@" 2>&1 </dev/null) || code=$?
    case $code,$said in
    $wanted,*"$words"*) ;;
    *)
        echo "tools/bare $*: exit $code, '$said'; want $wanted, '$words'"
        exit 1
        ;;
    esac
    if [ "$(echo "$said" | grep -c .)" -ne 1 ]; then
        echo "tools/bare $*: more than one line: $said"
        exit 1
    fi
}

refuses 2 "usage: tools/bare"
refuses 2 "usage: tools/bare" --other
refuses 2 "usage: tools/bare" --user
refuses 2 "usage: tools/bare" --can true
if [ -e /etc/dscq-bare ]; then # tests run inside one, too
    refuses 7 "this is a bare root already" true
    refuses 7 "this is a bare root already" --can
else
    stub id 'echo 1000'
    refuses 7 "it needs root" true
    refuses 7 "it needs root" --can
    stub id 'echo 0'
    stub df 'echo "Filesystem 1024-blocks Used Available"; echo "/dev/x 2000000 1 1999999"'
    refuses 7 "less than" --user true
    stub df 'echo "Filesystem 1024-blocks Used Available"; echo "/dev/x 2000000 1 99000000"'
    if command -v apt-get >/dev/null 2>&1; then
        stub unshare 'exit 1'
        refuses 7 "allows no mounts" true
        stub unshare 'exit 0'
        stub dpkg-query 'exit 1'
        stub apt-get 'exit 100'
        said=$(PATH=$bin:$PATH tools/bare true 2>&1 </dev/null) && exit 1
        case $said in
        *"mmdebstrap (Debian's package) cannot be installed"*) ;;
        *)
            echo "without mmdebstrap: $said"
            exit 1
            ;;
        esac
    fi
fi
if [ -n "$(ls -A "$scratch/place")" ]; then
    echo "left behind: $(ls -A "$scratch/place")"
    exit 1
fi
echo "every refusal says why"
