# shellcheck shell=bash
# What the programs of the lab share. Sourced, never run.

set -euo pipefail

LAB_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck disable=SC2034 # used by those that source this
LAB_ID=${VHERD_LAB_ID:-main}
LAB_CACHE=${VHERD_LAB_CACHE:-$(dirname "$LAB_DIR")/build/lab}

say() { printf '%s\n' "$*" >&2; }

die() {
    say "${0##*/}: $*"
    exit 1
}

need_root() {
    [ "$(id -u)" -eq 0 ] || die "must run as root: try sudo $0"
}

need_commands() {
    local missing=()
    for command in "$@"; do
        command -v "$command" >/dev/null || missing+=("$command")
    done
    [ ${#missing[@]} -eq 0 ] || die "missing: ${missing[*]} (run lab/deps first)"
}

# Serialises makers of the same thing: FILE is created, and locked until the shell ends.
lock_file() { # FILE
    mkdir -p "$(dirname "$1")"
    exec {LAB_LOCK_FD}>"$1"
    flock "$LAB_LOCK_FD"
}

guest_kernel() { echo "$LAB_CACHE/guest/vmlinux"; }
guest_initramfs() { echo "$LAB_CACHE/guest/initramfs"; }
