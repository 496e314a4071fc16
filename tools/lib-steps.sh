# shellcheck shell=sh
# Sourced by tools/demo and tools/check, from the project's root: steps that say how long
# they will take, how far they are, where their log is, and at the end again what failed.

log_dir=build/log
failed_steps=""  # names, one a line
failed_log=$log_dir/failed.txt
skipped_log=$log_dir/skipped.txt

# begin_steps PREFIX: logs of an earlier run with this prefix are removed.
begin_steps() {
    step_prefix=$1
    step_number=0
    mkdir -p "$log_dir"
    rm -f "$log_dir/$step_prefix"-*.log
    : >"$failed_log"
    : >"$skipped_log"
}

# minutes SECONDS: 40 s, or 3 min.
minutes() {
    if [ "$1" -lt 90 ]; then echo "$1 s"; else echo "$((($1 + 30) / 60)) min"; fi
}

# The count that ninja, ctest or tidy() wrote last: 12/98.
reached() {
    tail -c 4000 "$1" 2>/dev/null | grep -oE '^ *\[?[0-9]+/[0-9]+' | tail -n 1 | tr -d '[ '
}

# ticker LOG: until it is killed or this script is gone. On a terminal a line that is
# redrawn, elsewhere a line a minute.
ticker() {
    seconds=0
    while sleep 1 && kill -0 $$ 2>/dev/null; do
        seconds=$((seconds + 1))
        if [ -t 1 ]; then
            printf '\r\033[K    %s after %d s' "$(reached "$1")" "$seconds"
        elif [ $((seconds % 60)) -eq 0 ]; then
            echo "    $(reached "$1") after $((seconds / 60)) min"
        fi
    done
}

# Seconds of processors that this script's commands have taken so far, in $used.
processors() {
    times >"$log_dir/times.txt" # in a $() it would be those of the subshell
    used=$(awk -F'[ms ]+' 'NR == 2 {print int($1 * 60 + $2 + $3 * 60 + $4)}' "$log_dir/times.txt")
}

# run NAME SECONDS COMMAND...: the command, quietly, into a log of its own. SECONDS is what
# it takes on two quiet cores with nothing built yet.
run() {
    name=$1
    expected=$2
    shift 2
    step_number=$((step_number + 1))
    slug=$(printf '%s' "$name" | tr -cs 'A-Za-z0-9' '-' | cut -c 1-30)
    log=$(printf '%s/%s-%02d-%s.log' "$log_dir" "$step_prefix" "$step_number" "${slug%-}")
    echo "$name (about $(minutes "$expected"); $log)"
    : >"$log"
    ticker "$log" &
    clock=$!
    began=$(date +%s)
    processors
    used_before=$used
    code=0
    ("$@") >"$log" 2>&1 </dev/null || code=$?
    kill "$clock" 2>/dev/null || true
    wait "$clock" 2>/dev/null || true
    processors
    took="$(($(date +%s) - began)) s ($((used - used_before)) s of processors)"
    if [ -t 1 ]; then printf '\r\033[K'; fi
    if [ "$code" -eq 0 ]; then
        echo "    ok, $took"
        return 0
    fi
    echo "    FAILED, $took"
    tail -n 60 "$log"
    failed_steps="$failed_steps$name
"
    { echo "FAILED: $name ($log)" && essence "$log" | sed 's/^/    /'; } >>"$failed_log"
    return "$code"
}

# What a log of a failure says in few lines.
essence() {
    if grep -q 'tests passed, .* tests failed out of' "$1"; then
        sed -n '/tests passed, .* tests failed out of/,$p' "$1"
        grep -hE '^[^ ]*:[0-9]+:[FE]:' "$1" | head -n 20 # Check's own line of a failed test
    elif grep -qE 'error:|^FAILED: ' "$1"; then
        grep -E 'error:|^FAILED: ' "$1" | head -n 20
    else
        tail -n 15 "$1"
    fi
}

# tests_of FOLDER OPTION...: ctest, where nothing passes that was not run; what skipped is
# noted with its reason.
tests_of() {
    folder=$1
    shift
    out=$folder/Testing/Temporary/said.txt
    ctest --test-dir "$folder" --no-tests=error --output-on-failure -O "$PWD/$out" "$@"
    code=$?
    list_skipped "$folder/Testing/Temporary/LastTest.log" >>"$skipped_log"
    # ctest passes what is disabled
    if grep -qF '***Not Run' "$out"; then
        echo "Tests that were not run do not pass:"
        grep -F '***Not Run' "$out"
        return 1
    fi
    return "$code"
}

# list_skipped LASTTEST-LOG: "NAME: REASON" of each.
list_skipped() {
    awk '/^[0-9]+\/[0-9]+ Test: / {name = $3}
        /^SKIP: / && name != "" {print name ": " substr($0, 7)}' "$1" 2>/dev/null | sort -u
}

# What a reader of the end must know: what was left out, and what failed.
end_steps() {
    if [ -s "$skipped_log" ]; then
        echo "Skipped, at least in part (test: reason):"
        sort -u "$skipped_log" | sed 's/^/    /'
    fi
    cat "$failed_log"
}
