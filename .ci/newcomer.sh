#!/bin/sh
# What a newcomer does, in the clone: `make run` until it answers, the README's webhook by curl, the main job by Stripe's
# client, and the end by an interrupt. DATABASE_URL and the like are passed on to the service.
set -eu
cd "$(dirname "$0")/.."

port=$(python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')
base=http://127.0.0.1:$port
output=$(mktemp)
inbox=$(mktemp)

# To all processes of the service, as a terminal does it; the kill of some shells knows no groups.
interrupt() { python3 -c "import os, signal; os.killpg($service, signal.SIG$1)"; }

fail() {
    printf '%s\n' "$@" >&2
    echo "--- what make run printed:" >&2
    cat "$output" >&2
    interrupt KILL || true
    exit 1
}

# In a process group of its own, as a terminal would start it; setsid also lets SIGINT reach it.
ROLLBOOK_PORT=$port setsid sh -c 'trap - INT; exec make run' >"$output" 2>&1 &
service=$!

began=$(date +%s)
until curl --silent --fail --max-time 2 "$base/readyz" >/dev/null; do
    kill -0 "$service" 2>/dev/null || fail "make run has ended."
    [ $(($(date +%s) - began)) -lt 300 ] || fail "make run does not answer after 300 s."
    sleep 0.2
done
echo "make run answers after $(($(date +%s) - began)) s."
if grep -q 'Traceback' "$output"; then fail "The first start prints a traceback."; fi
if grep -qi 'warning' "$output"; then fail "The first start prints a warning: $(grep -i -m 1 'warning' "$output")"; fi

curl --silent --no-buffer --max-time 60 "$base/dev/inbox" >"$inbox" &
watching=$!
curl --silent --fail --max-time 10 -u sk_test_rollbook: "$base/v1/webhook_endpoints" \
    -d "url=$base/dev/inbox" -d 'enabled_events[]=*' >/dev/null || fail "No webhook endpoint could be made."
curl --silent --fail --max-time 10 -u sk_test_rollbook: "$base/v1/customers" \
    -d email=jenny.rosen@example.com -d name='Jenny Rosen' >/dev/null || fail "No customer could be made."
until grep -q customer.created "$inbox"; do
    kill -0 "$watching" 2>/dev/null || fail "The inbox shows no customer.created."
    sleep 0.1
done
kill "$watching"

sh .ci/retry.sh .venv/bin/python -m pip --quiet --disable-pip-version-check install stripe ||
    fail "stripe could not be installed."
timeout 120 .venv/bin/python .ci/main_job.py "$base" || fail "The main job failed."

ended=$(date +%s)
interrupt INT
while kill -0 "$service" 2>/dev/null; do
    [ $(($(date +%s) - ended)) -lt 30 ] || fail "It does not stop after an interrupt."
    sleep 0.1
done
if grep -q 'Traceback' "$output"; then fail "Stopping prints a traceback."; fi
echo "It stopped."
