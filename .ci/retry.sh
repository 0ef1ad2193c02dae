#!/bin/sh
# Run a command that depends on the network up to three times: `retry.sh COMMAND...`. Its exit code is that of the last attempt.
set -u

attempts_max=3
attempt=1
while :; do
    "$@"
    code=$?
    [ "$code" -ne 0 ] || exit 0
    if [ "$attempt" -eq "$attempts_max" ]; then
        echo "Attempt $attempt of $attempts_max failed with exit code $code, and it was the last: $*" >&2
        exit "$code"
    fi
    echo "Attempt $attempt of $attempts_max failed with exit code $code; retried in $((attempt * 5)) s: $*" >&2
    sleep "$((attempt * 5))"
    attempt=$((attempt + 1))
done
