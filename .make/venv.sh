#!/bin/sh
# Make .venv hold what is asked for: `venv.sh runtime` or `venv.sh dev`.
#
# A stamp, written last, keeps the digest of the requirements that .venv was made from. Where it is missing or differs, or
# the interpreter does not run, .venv is half made, stale or has lost its Python: it is made again. One that is right is
# left alone, which takes milliseconds.
set -eu
cd "$(dirname "$0")/.."

wanted=${1:-}
case $wanted in
    runtime | dev) ;;
    *) echo "venv.sh: say runtime or dev, not '$wanted'" >&2; exit 2 ;;
esac

say() { printf '%s\n' "$@" >&2; }

fail() { say "$@"; exit 1; }

# The installation points at this directory by its path, so a checkout that was moved is stale too.
digest() { { pwd -P; cat "$1"; } | sha256sum | cut -d ' ' -f 1; }

is_made() {
    [ "$(cat ".venv/.$1.stamp" 2>/dev/null)" = "$(digest "$2")" ] && .venv/bin/python -c '' 2>/dev/null
}

# Newest first of those that the tests are run with; of 3.14 it is known that every pinned package has its wheel.
pythons="python3.13 python3.12 python3.11 python3.14 python3"

best_python() {
    for python in $pythons; do
        if command -v "$python" >/dev/null && "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
        then
            echo "$python"
            return
        fi
    done
    return 1
}

# How to install Debian packages here: by whom, and with sudo only where there is one.
apt_line() {
    if [ "$(id -u)" -eq 0 ]; then echo "    apt-get install -y $*"
    elif command -v sudo >/dev/null; then echo "    sudo apt-get install -y $*"
    else echo "    apt-get install -y $*          (as root: there is no sudo here)"
    fi
}

fail_without_python() {
    found=$(for python in $pythons; do command -v "$python" || true; done | sort -u | while read -r path; do
        printf ' %s is %s.' "$path" "$("$path" --version 2>&1 | head -n 1)"
    done)
    say "Rollbook needs Python 3.11 or newer.${found:- No python3 is on the PATH.}"
    command -v apt-get >/dev/null || exit 1
    available=$(apt-cache madison python3 2>/dev/null | cut -d '|' -f 2 | tr -d ' ' | head -n 1)
    case $available in
        3.[0-9].* | 3.10.*)
            system=$(. /etc/os-release && echo "$PRETTY_NAME")
            say "$system has Python ${available%%-*}. Debian 12 and Ubuntu 24.04 are the first with one that is new enough;" \
                "or install a newer one beside it (https://www.python.org/downloads/), on the PATH as python3.13." ;;
        *) say "Type this, and run me again:" "" "$(apt_line python3 python3-venv)" ;;
    esac
    exit 1
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
        fail "$("$1" --version) is here, but not its part that makes environments. Type this, and run me again:" "" \
            "$(apt_line "$package")"
    fi
    say "Installing the system's package $package, as root, with apt-get ..."
    # The lists of a fresh machine are empty, so a failure is worth a second try after fetching them.
    install="env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $package"
    $as_root $install >/dev/null 2>&1 || {
        $as_root apt-get update >/dev/null && $as_root $install >/dev/null
    } || fail "That did not work. Type this to see why, and run me again:" "" "$(apt_line "$package")"
}

pip() { .venv/bin/python -m pip --disable-pip-version-check "$@"; }

# Install what a file of requirements pins: pip's output goes to .venv/pip.log, and a count of the packages to the user.
install() {
    total=$(grep -c '^[A-Za-z0-9].*==' "$1")
    terminal=0
    [ ! -t 2 ] || terminal=1
    echo failed >.venv/pip.status
    { pip install --progress-bar off --require-hashes --requirement "$1" 2>&1 && echo done >.venv/pip.status; } \
        | tee .venv/pip.log \
        | awk -v total="$total" -v terminal="$terminal" '
            function show(text) {
                if (terminal) printf "\r\033[K  %s", text; else if (text != last) print "  " text
                last = text; fflush()
            }
            /^ *(Collecting|Requirement already satisfied:) / {
                name = $0; sub(/^ *(Collecting|Requirement already satisfied:) /, "", name); sub(/[=<>~!;\[ ].*/, "", name)
                if (++count > total) count = total
                if (terminal || count % 10 == 0 || count == total) show(count " of " total ": " name)
            }
            /Retrying \(/ { show("the package index does not answer; trying again ...") }
            /^Installing collected packages/ { show("writing them to .venv ...") }
            END { if (terminal) printf "\r\033[K" }' >&2
    [ "$(cat .venv/pip.status)" = done ] || fail_to_install
}

fail_to_install() {
    unreachable='(NewConnection|NameResolution|ConnectTimeout|Proxy|ReadTimeout|ConnectionReset|ConnectionRefused)Error'
    if grep -qE "$unreachable" .venv/pip.log; then
        why=$(grep -oE "$unreachable.*" .venv/pip.log | head -n 1 | sed "s/.*object at [^>]*>: //; s/[')\"]*: \/simple.*//")
        say "The package index cannot be reached: $why." \
            "Installing needs the network once, or an index of your own (PIP_INDEX_URL, PIP_PROXY, pip.conf); starting" \
            "later does not. Run me again when it is there."
    elif grep -qE 'CERTIFICATE_VERIFY_FAILED|SSLError' .venv/pip.log; then
        say "The package index shows a certificate that is not trusted here. PIP_CERT names a file of authorities to trust."
    elif missing=$(grep -oE 'No matching distribution found for [^ ]+' .venv/pip.log | head -n 1) && [ -n "$missing" ]; then
        say "The package index has no file of ${missing##* } for $(.venv/bin/python --version) on $(uname -m)."
    else
        say "pip could not install what is needed. The end of what it said:" "$(tail -n 12 .venv/pip.log)"
    fi
    fail "All of it is in .venv/pip.log."
}

make_venv() {
    python=$(best_python) || fail_without_python
    [ -w . ] || fail "Rollbook makes its .venv in $(pwd -P), where $(id -un 2>/dev/null || id -u) may not write."
    "$python" -c 'import ensurepip, venv' 2>/dev/null || install_ensurepip "$python"
    say "Making .venv with $("$python" --version), and installing $(grep -c '^[A-Za-z0-9].*==' requirements.txt) packages in it ..."
    rm -rf .venv
    "$python" -m venv .venv
    install requirements.txt
    pip install --quiet --no-deps --no-build-isolation --editable .
    digest requirements.txt >.venv/.runtime.stamp
}

# One at a time: who comes second waits, and finds .venv made. The kernel lets go of the lock when this process ends.
exec 9<requirements.txt
if command -v flock >/dev/null && ! flock -n 9; then
    say "Another process is making .venv; waiting for it ..."
    flock 9
fi

is_made runtime requirements.txt || make_venv
if [ "$wanted" = dev ] && ! is_made dev requirements-dev.txt; then
    say "Installing the $(grep -c '^[A-Za-z0-9].*==' requirements-dev.txt) packages that tests and checks need ..."
    install requirements-dev.txt
    digest requirements-dev.txt >.venv/.dev.stamp
fi
