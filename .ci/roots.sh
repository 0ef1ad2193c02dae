# Minimal Debian systems to try Rollbook in: made by debootstrap, kept between runs, entered by chroot. To be sourced.
#
# They are kept in $ROLLBOOK_CI_CACHE (by default /var/cache/rollbook-ci). Mirror, pip's index, proxies and authorities are
# taken from this machine's own configuration when they are used; nothing of it is written into the checkout.

cache=${ROLLBOOK_CI_CACHE:-/var/cache/rollbook-ci}

# What a user has who follows the README on a minimal system, and nothing else.
users_packages=make,python3,python3-venv,git,ca-certificates,curl,procps
servers_packages="postgresql rabbitmq-server"
uid=1000

say() { printf '%s\n' "$@" >&2; }

# Why this machine cannot make such roots; nothing where it can.
why_no_roots() {
    if [ "$(id -u)" -ne 0 ]; then echo "debootstrap and chroot need root"; return; fi
    for program in debootstrap unshare ip; do
        command -v "$program" >/dev/null || { echo "$program is not installed"; return; }
    done
    unshare --mount --pid --net --fork true 2>/dev/null || echo "this machine lets nobody make namespaces (unshare)"
}

# The mirrors that apt uses here which have the suite given, or the one of ROLLBOOK_CI_DEBIAN_MIRROR.
mirror() {
    local uri
    for uri in ${ROLLBOOK_CI_DEBIAN_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | sort -u)}; do
        if curl --silent --fail --location --max-time 20 --output /dev/null "${uri%/}/dists/$1/Release"; then
            echo "${uri%/}"
            return
        fi
    done
    say "None of apt's mirrors here has Debian's $1; ROLLBOOK_CI_DEBIAN_MIRROR names one that has."
    return 1
}

# The path of a root that is whole: the one of last time, unless it is broken, older than 30 days or of another recipe.
root() {
    local suite=$1 servers=${2:-} path recipe
    path=$cache/$suite${servers:+-servers}
    recipe=$(echo "$users_packages $servers_packages $(declare -f _make_root _make_servers_root)" | sha256sum | cut -d ' ' -f 1)
    if [ "$(cat "$path.made" 2>/dev/null)" != "$recipe" ] || [ -n "$(find "$path.made" -mtime +30)" ] ||
        ! _is_whole "$path" "$servers"
    then
        rm -rf --one-file-system "$path" "$path.made"
        mkdir -p "$cache"
        _make_within_three_attempts "$suite" "$path.new" "$servers" || return 1
        mv "$path.new" "$path"
        echo "$recipe" >"$path.made"
    fi
    echo "$path"
}

# A mirror that fails in the middle leaves half a root, so each attempt begins with none.
_make_within_three_attempts() {
    local attempt
    for attempt in 1 2 3; do
        rm -rf --one-file-system "$2"
        if [ -n "$3" ]; then _make_servers_root "$1" "$2"; else _make_root "$1" "$2"; fi && return
        say "Attempt $attempt of 3 to make $2 failed."
        [ "$attempt" -eq 3 ] || sleep $((attempt * 5))
    done
    return 1
}

_is_whole() {
    [ -x "$1/usr/bin/make" ] && chroot "$1" /usr/bin/python3 -c 'import ensurepip, venv' 2>/dev/null &&
        [ -z "$(chroot "$1" /usr/bin/dpkg --audit 2>&1)" ] &&
        { [ -z "$2" ] || [ -n "$(ls -d "$1"/usr/lib/postgresql/*/bin/postgres 2>/dev/null)" ]; }
}

_make_root() {
    local suite=$1 path=$2 from
    from=$(mirror "$suite") || return 1
    say "Making a minimal Debian ($suite) in $cache ..."
    debootstrap --variant=minbase --include="$users_packages" "$suite" "$path" "$from" >"$path.log" 2>&1 || {
        tail -n 20 "$path.log" >&2
        say "debootstrap failed; all it said is in $path.log."
        return 1
    }
    chroot "$path" useradd --create-home --uid "$uid" --shell /bin/bash newcomer
}

_make_servers_root() {
    local suite=$1 path=$2 base
    base=$(root "$suite") || return 1
    say "Adding the servers of Debian ($suite) ..."
    cp -a "$base" "$path"
    printf '#!/bin/sh\nexit 101\n' >"$path/usr/sbin/policy-rc.d" # installing starts no server
    chmod +x "$path/usr/sbin/policy-rc.d"
    _configure "$path"
    in_root "$path" "$path/home/newcomer" network root sh -c "
        apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $servers_packages
    " >"$path.log" 2>&1 || {
        tail -n 20 "$path.log" >&2
        say "The servers could not be installed; all that was said is in $path.log."
        return 1
    }
}

# Network configuration and authorities of this machine, as they are now.
_configure() {
    rm -f "$1/etc/resolv.conf"
    cp /etc/resolv.conf "$1/etc/resolv.conf"
    # Every installed Debian has this file; debootstrap of Debian 12 alone does not make it.
    [ -s "$1/etc/hosts" ] || printf '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n' >"$1/etc/hosts"
    if [ -s /etc/ssl/certs/ca-certificates.crt ]; then
        cp /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/ca-certificates.crt"
    fi
    apt-config dump | grep -E '^Acquire::(https?|Check)' >"$1/etc/apt/apt.conf.d/99host" || true
}

# Variables for pip and proxies, one a line: what of this machine's configuration is not a path on its disk.
_surroundings() {
    python3 -m pip config list 2>/dev/null | sed "s/^[^=]*\.\([a-z-]*\)='\(.*\)'$/\1 \2/" | while read -r name values; do
        case $name in
            index-url | extra-index-url | trusted-host | proxy | timeout | default-timeout) ;;
            *) continue ;;
        esac
        kept=$(printf '%s\n' "$values" | sed 's/\\n/ /g' | tr ' ' '\n' | grep -v '^\(file:\|/\|$\)' | paste -sd ' ' || true)
        [ -z "$kept" ] || echo "PIP_$(printf '%s' "$name" | tr 'a-z-' 'A-Z_')=$kept"
    done
    echo PIP_CERT=/etc/ssl/certs/ca-certificates.crt
    env | grep -iE '^(https?_proxy|no_proxy)=' || true
}

# Run a command in a root: in_root ROOT HOME network|alone root|newcomer COMMAND...
#
# HOME becomes the user's. It has processes, mounts and, unless `network` is said, a loopback device of its own, so that
# neither its ports meet this machine's, nor anything outlives it.
in_root() {
    local path=$1 home=$2 network=$3 user=$4
    shift 4
    local given=()
    mapfile -t given < <(_surroundings)
    local as=(chroot "$path")
    local whose=/root
    if [ "$user" = newcomer ]; then
        as=(chroot --userspec="$uid:$uid" --groups= "$path")
        whose=/home/newcomer
    fi
    _configure "$path"
    local separate=()
    [ "$network" = network ] || separate=(--net)
    ROOT_PATH=$path ROOT_HOME=$home unshare --mount --pid "${separate[@]}" --fork --kill-child --propagation private \
        bash -euc '
            mount --bind "$ROOT_HOME" "$ROOT_PATH/home/newcomer"
            mount -t proc proc "$ROOT_PATH/proc"
            mount -t tmpfs -o mode=1777 tmpfs "$ROOT_PATH/tmp"
            mount -t tmpfs -o mode=755 tmpfs "$ROOT_PATH/run"
            devices=$(mktemp -d)
            mount -t tmpfs -o mode=755 tmpfs "$devices"
            for device in null zero full random urandom tty; do
                touch "$devices/$device"
                mount --bind "/dev/$device" "$devices/$device"
            done
            mkdir "$devices/shm" "$devices/pts"
            mount -t tmpfs -o mode=1777 tmpfs "$devices/shm"
            mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$devices/pts"
            ln -s pts/ptmx "$devices/ptmx"
            ln -s /proc/self/fd "$devices/fd"
            ln -s fd/0 "$devices/stdin"
            ln -s fd/1 "$devices/stdout"
            ln -s fd/2 "$devices/stderr"
            mount --move "$devices" "$ROOT_PATH/dev"
            rmdir "$devices"
            ip link set lo up
            # This shell stays the first process: one that does not expect orphans, such as make, neither reaps them nor
            # dies of a signal.
            code=0
            "$@" || code=$?
            exit "$code"
        ' in_root "${as[@]}" /usr/bin/env -i HOME="$whose" USER="$user" LOGNAME="$user" TERM=dumb \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "${given[@]}" "$@"
}
