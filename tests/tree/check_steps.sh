#!/bin/sh
# check_steps.sh CMAKE CTEST GENERATOR: the steps of tools/check keep a log each, repeat what
# failed at the end, and let no test pass that was not run.
set -eu
cmake=$1
ctest_program=$2
generator=$3
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cp -R tools "$scratch/tools"
cd "$scratch"
# shellcheck source=tools/lib-steps.sh
. tools/lib-steps.sh
ctest() { command "$ctest_program" "$@"; }

fail() {
    echo "$1"
    exit 1
}

want() { # WHAT TEXT WORDS
    case $2 in
    *"$3"*) ;;
    *) fail "$1: no '$3' in: $2" ;;
    esac
}

# a project of tests: project LINE...
project() {
    rm -rf tests build/tests
    mkdir -p tests
    {
        echo 'cmake_minimum_required(VERSION 3.20)'
        echo 'project(tests LANGUAGES NONE)'
        echo 'enable_testing()'
        printf '%s\n' "$@"
    } >tests/CMakeLists.txt
    "$cmake" -S tests -B build/tests -G "$generator" >/dev/null
}

passes='add_test(NAME passes COMMAND true)'
skips='add_test(NAME skips COMMAND sh -c "echo SKIP: no moon && exit 77")
set_tests_properties(skips PROPERTIES SKIP_RETURN_CODE 77)'
fails='add_test(NAME fails COMMAND false)'
absent='add_test(NAME absent COMMAND no_such_program_here)'
disabled='add_test(NAME disabled COMMAND true)
set_tests_properties(disabled PROPERTIES DISABLED TRUE)'

begin_steps test
project "$passes" "$skips"
run "one skips" 1 tests_of build/tests >said.txt || fail "a skipped test failed: $(cat said.txt)"
end_steps >end.txt
want "skipped at the end" "$(cat end.txt)" "skips: no moon"
[ "$(wc -l <end.txt)" -eq 2 ] || fail "more at the end: $(cat end.txt)"

for broken in "$fails" "$absent" "$disabled"; do
    project "$passes" "$broken"
    if (run "broken" 1 tests_of build/tests >said.txt); then
        fail "held: $broken: $(cat said.txt)"
    fi
done
project
if (run "nothing" 1 tests_of build/tests >said.txt); then fail "no tests, and it held"; fi

begin_steps test
project "$passes" "$fails"
compiles() { echo 'x.c:1:2: error: no such thing'; return 1; }
run "compiling" 90 compiles >>said.txt || true
run "fine" 1 true >>said.txt
run "tests" 200 tests_of build/tests -j 2 >>said.txt || true
[ "$failed_steps" = "compiling
tests
" ] || fail "failed steps: $failed_steps"
end_steps >end.txt
want "the end" "$(cat end.txt)" "FAILED: compiling (build/log/test-01-compiling.log)"
want "the end" "$(cat end.txt)" "x.c:1:2: error: no such thing"
want "the end" "$(cat end.txt)" "1 tests failed out of 2"
want "the end" "$(cat end.txt)" "- fails (Failed)"
want "estimate" "$(cat said.txt)" "compiling (about 2 min; build/log/test-01-compiling.log)"
want "its log" "$(cat build/log/test-03-tests.log)" "Test #1: passes"
[ "$(find build/log -name 'test-*.log' | wc -l)" -eq 3 ] || fail "logs: $(ls build/log)"

# how far a step is
printf '[3/12] Building\n[4/12] Linking' >log
[ "$(reached log)" = 4/12 ] || fail "ninja: $(reached log)"
printf '      Start 1: a\n 7/98 Test #1: a ... Passed\n' >log
[ "$(reached log)" = 7/98 ] || fail "ctest: $(reached log)"
echo "steps keep their word"
