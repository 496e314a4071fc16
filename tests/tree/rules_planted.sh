#!/bin/sh
# A check that never fails checks nothing: plant one violation of each kind and see
# that tools/check_rules.sh finds it.
set -eu
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
checker=$PWD/tools/check_rules.sh
cd "$scratch"
mkdir -p docs src/dram src/hw src/lower include tests/unit tests/cycle
sound() {
    echo '* **R2.1** one; **F1** and **PL3** two' >docs/dram.md
    echo '* **L1** three' >docs/accelerator.md
    printf '/* [R2.1] */\n/* [L1] */\n' >src/dram/a.c
    printf '"F1: a DSP each" /* [PL3] */\n' >src/hw/b.c
    printf '/* [F1] [R2.1] [L1] [PL3] */\n' >tests/unit/t.c
}

# finds MESSAGE: the checker fails and says so; then the tree is sound again
finds() {
    if said=$("$checker" .); then
        echo "not found: $1"
        exit 1
    fi
    case $said in
    *"$1"*) ;;
    *)
        echo "said '$said', want '$1'"
        exit 1
        ;;
    esac
    sound
    "$checker" .
}

sound
"$checker" .
echo '* **M4** a new rule' >>docs/accelerator.md
finds 'rules that the code do not name: M4'
echo '* **M4** a new rule' >>docs/accelerator.md
finds 'rules that the tests do not name: M4'
echo '/* [R2.1] */' >src/dram/a.c
finds 'rules that the code do not name: L1'
echo '/* [F1] [R2.1] [L1] */' >tests/unit/t.c
finds 'rules that the tests do not name: PL3'
echo '/* [L99] */' >>src/hw/b.c
finds 'the code name what the documents do not have: L99'
echo '/* [R7.1] */' >>tests/unit/t.c
finds 'the tests name what the documents do not have: R7.1'
echo '* **L1** again' >>docs/dram.md
finds 'two rules of one number in the documents: L1'
echo "every planted violation was found"
