# shellcheck shell=sh
# Sourced by tools/demo and tools/check: install_packages KIND... installs what is
# missing of tools/packages.txt with apt-get, or prints the list where there is none.
# Run from the project's root.

install_packages() {
    wanted=""
    for kind in "$@"; do
        wanted="$wanted $(sed -n "s/^$kind //p" tools/packages.txt | tr '\n' ' ')"
    done
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "This system has no apt-get. Needed, by their Debian names:"
        for package in $wanted; do echo "  $package"; done
        echo "Going on; what is missing will be named by the build."
        return 0
    fi
    missing=""
    for package in $wanted; do
        state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || state=none
        if [ "$state" != installed ]; then missing="$missing $package"; fi
    done
    [ -n "$missing" ] || return 0
    echo "Installing:$missing"
    as_root=""
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null 2>&1; then
            echo "Neither root nor sudo; please install them, then run this again." >&2
            return 7
        fi
        as_root=sudo
    fi
    # shellcheck disable=SC2086 # words are wanted
    if ! $as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -q --no-install-recommends $missing >/dev/null 2>&1; then
        $as_root apt-get update -q >/dev/null
        $as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -q --no-install-recommends $missing >/dev/null
    fi
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
