#!/bin/sh
# Make .venv hold what is asked for: `make-venv.sh runtime` or `make-venv.sh dev`.
#
# A stamp, written last, keeps the digest of the requirements that .venv was made from. Where it is missing or differs, or
# the interpreter does not run, .venv is half made, stale or has lost its Python: it is made again. One that is right is
# left alone, which takes milliseconds.
set -eu
cd "$(dirname "$0")/.."

wanted=${1:-}
case $wanted in
    runtime | dev) ;;
    *) echo "make-venv.sh: say runtime or dev, not '$wanted'" >&2; exit 2 ;;
esac

say() { printf '%s\n' "$@" >&2; }

fail() { say "$@"; exit 1; }

# The installation points at this directory by its path, so a checkout that was moved is stale too.
digest() { { pwd -P; cat "$1"; } | sha256sum | cut -d ' ' -f 1; }

is_made() {
    [ "$(cat ".venv/.$1.stamp" 2>/dev/null)" = "$(digest "$2")" ] && .venv/bin/python -c '' 2>/dev/null
}

install() { .venv/bin/python -m pip install --quiet --disable-pip-version-check "$@"; }

newest_python() {
    for python in python3.13 python3.12 python3.11 python3; do
        if command -v "$python" >/dev/null && "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
        then
            echo "$python"
            return
        fi
    done
    return 1
}

# Debian and Ubuntu keep the part of Python that puts pip in a new environment in a package of its own.
install_ensurepip() {
    package="$("$1" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
    command -v apt-get >/dev/null || fail "$1 cannot make an environment with pip in it: its ensurepip module is missing."
    if [ "$(id -u)" -eq 0 ]; then
        as_root=
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        as_root='sudo -n'
    else
        fail "$1 cannot make an environment with pip in it. Type this, and run me again:" "" \
            "    sudo apt-get install -y $package"
    fi
    say "Installing $package ..."
    # The lists of a fresh machine are empty, so a failure is worth a second try after fetching them.
    install="env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $package"
    $as_root $install >/dev/null 2>&1 || {
        $as_root apt-get update >/dev/null && $as_root $install >/dev/null
    } || fail "That did not work. Type this to see why, and run me again:" "" "    $as_root apt-get install -y $package"
}

make_venv() {
    python=$(newest_python) || fail "Rollbook needs Python 3.11 or newer; on Debian or Ubuntu: apt-get install -y python3-venv"
    "$python" -c 'import ensurepip, venv' 2>/dev/null || install_ensurepip "$python"
    say "Making .venv with $("$python" --version) ..."
    rm -rf .venv
    "$python" -m venv .venv
    install --require-hashes --requirement requirements.txt
    install --no-deps --no-build-isolation --editable .
    digest requirements.txt >.venv/.runtime.stamp
}

is_made runtime requirements.txt || make_venv
if [ "$wanted" = dev ] && ! is_made dev requirements-dev.txt; then
    say "Installing what tests and checks need ..."
    install --require-hashes --requirement requirements-dev.txt
    digest requirements-dev.txt >.venv/.dev.stamp
fi
