# shellcheck shell=sh
# Sourced by tools/demo, tools/check and tools/bare, from the project's root.

# say_packages PACKAGE...: the line that installs them, to be copied.
say_packages() {
    echo "    apt-get update && apt-get install -y --no-install-recommends $*"
}

# may_install: as root, or by sudo when it asks nothing or somebody can answer. Sets
# as_root to what stands before the command.
may_install() {
    as_root=""
    [ "$(id -u)" -ne 0 ] || return 0
    as_root=sudo
    command -v sudo >/dev/null 2>&1 || return
    if sudo -n true 2>/dev/null; then
        as_root="sudo -n"
        return 0
    fi
    [ -t 0 ]
}

# install_packages KIND...: what is missing of tools/packages.txt, with apt-get. 7, and one
# message with the packages, when they cannot be installed. Where there is no apt-get it
# prints the list and goes on.
install_packages() {
    wanted=""
    for kind in "$@"; do
        wanted="$wanted $(sed -n "s/^$kind //p" tools/packages.txt | tr '\n' ' ')"
    done
    if ! command -v apt-get >/dev/null 2>&1; then
        # shellcheck disable=SC2086 # words are wanted
        echo "This system has no apt-get. Needed, by their Debian names:" $wanted
        echo "Going on; what is missing will be named by the build."
        return 0
    fi
    missing=""
    for package in $wanted; do
        state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || state=none
        if [ "$state" != installed ]; then missing="$missing $package"; fi
    done
    [ -n "$missing" ] || return 0
    if ! may_install; then
        {
            echo "Packages are missing, and this user may not install them (not root, no sudo). As root:"
            # shellcheck disable=SC2086
            say_packages $missing
            echo "then run this again."
        } >&2
        return 7
    fi
    mkdir -p build/log
    log=build/log/install.log
    echo "Installing (up to 5 minutes; log: $log):$missing"
    # shellcheck disable=SC2086
    if apt_get install -y -q --no-install-recommends $missing >"$log" 2>&1; then return 0; fi
    # an old list of packages, or none
    # shellcheck disable=SC2086
    if apt_get update -q >>"$log" 2>&1 &&
        apt_get install -y -q --no-install-recommends $missing >>"$log" 2>&1; then
        return 0
    fi
    {
        grep -E '^(E|W|Err)[: ]' "$log" | sort -u | tail -n 10
        echo "apt-get could not install them (log: $log). When it can:"
        # shellcheck disable=SC2086
        say_packages $missing
        echo "then run this again."
    } >&2
    return 7
}

apt_get() {
    # shellcheck disable=SC2086 # nothing, or sudo and an option
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get "$@"
}

# How many compilers at once: one a CPU, and no more than memory for 1 GB each.
jobs_here() {
    cpus=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
    gigabytes=$(awk '/MemAvailable/ {print int($2 / 1000000)}' /proc/meminfo 2>/dev/null)
    gigabytes=${gigabytes:-$cpus}
    if [ "$gigabytes" -lt 1 ]; then gigabytes=1; fi
    if [ "$gigabytes" -lt "$cpus" ]; then echo "$gigabytes"; else echo "$cpus"; fi
}

# Time since $started (seconds of date +%s), as 1m07s.
elapsed() {
    # shellcheck disable=SC2154 # the caller sets it
    now=$(($(date +%s) - started))
    printf '%dm%02ds' $((now / 60)) $((now % 60))
}

# generator FOLDER: the option for cmake, Ninja in a new folder; one that is configured
# keeps its own.
generator() {
    if [ ! -e "$1/CMakeCache.txt" ]; then echo "-GNinja"; fi
}
