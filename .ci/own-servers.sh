#!/bin/sh
# Against the system's own PostgreSQL and RabbitMQ, as root in a root that has them: `own-servers.sh test-fast|test`.
#
# PostgreSQL lets in by scram-sha-256 only, and has the roles that deploy/README.md describes, none of them a superuser. The
# role of the tests is one: they end other sessions, drop databases in use and empty tables past their triggers.
set -eu
cd "$(dirname "$0")/.."

tests=${1:?test-fast or test}
version=$(ls /usr/lib/postgresql)
local_node=rabbit@localhost
secret=$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')
pid_file=/run/rabbitmq/pid
broker_start_timeout_s=300
broker=

as() { user=$1; shift; runuser -u "$user" -- "$@"; }
sql() { as postgres psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --command "$1" "${2:-postgres}"; }
control() { rabbitmqctl --quiet --node "$local_node" "$@"; }

stop() {
    if [ -n "$broker" ]; then
        # With the pid file it returns when the process has ended.
        control stop "$pid_file" 2>/run/rabbitmq.stop || { cat /run/rabbitmq.stop >&2; kill "$broker" 2>/dev/null || true; }
        wait "$broker" || true
        broker=
    fi
    if pg_ctlcluster "$version" main status >/dev/null 2>&1; then pg_ctlcluster "$version" main stop --mode fast; fi
}
trap stop EXIT

pg_dropcluster --stop "$version" main 2>/dev/null || true
mkdir -p /run/postgresql && chown postgres:postgres /run/postgresql
pg_createcluster --locale C.UTF-8 --encoding UTF8 --port 5432 "$version" main \
    -o max_connections=300 -o password_encryption=scram-sha-256 -- --auth-local=peer --auth-host=scram-sha-256 >/dev/null
pg_ctlcluster "$version" main start
as newcomer .venv/bin/rollbook roles --sql --owner rollbook_owner --processes rollbook_app |
    as postgres psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --dbname postgres
sql "ALTER ROLE rollbook_owner PASSWORD '$secret'"
sql "ALTER ROLE rollbook_app PASSWORD '$secret'"
sql "CREATE DATABASE rollbook OWNER rollbook_owner ENCODING 'UTF8' TEMPLATE template0"
sql "CREATE ROLE tester LOGIN SUPERUSER PASSWORD '$secret'"

export RABBITMQ_NODENAME=$local_node HOME=/var/lib/rabbitmq
rm -rf /var/lib/rabbitmq/mnesia
# The node writes its pid file, as user rabbitmq, who may not write to /run. It runs in the foreground, so that it is known
# when it has ended; `wait` also waits for the file, while `await_startup` fails until the node is registered.
install -d -o rabbitmq -g rabbitmq "${pid_file%/*}"
RABBITMQ_PID_FILE=$pid_file rabbitmq-server >/run/rabbitmq.out 2>&1 &
broker=$!
began=$(date +%s)
until control --timeout 30 wait "$pid_file" >/run/rabbitmq.wait 2>&1; do
    reason=
    kill -0 "$broker" 2>/dev/null || reason="RabbitMQ ended while it was starting."
    [ $(($(date +%s) - began)) -lt "$broker_start_timeout_s" ] || reason="RabbitMQ did not start in $broker_start_timeout_s s."
    if [ -n "$reason" ]; then
        cat /run/rabbitmq.wait /run/rabbitmq.out >&2
        echo "$reason" >&2
        exit 1
    fi
    sleep 0.5
done
control add_vhost rollbook
control add_user rollbook "$secret"
control set_permissions --vhost rollbook rollbook '.*' '.*' '.*'
AMQP_URL=amqp://rollbook:$secret@127.0.0.1:5672/rollbook
export HOME=/home/newcomer
unset RABBITMQ_NODENAME

sql "SELECT version()" | sed -n 3p
echo "RabbitMQ $(control version), started in $(($(date +%s) - began)) s"

export AMQP_URL
DATABASE_URL=postgresql://rollbook_owner:$secret@127.0.0.1:5432/rollbook as newcomer .venv/bin/rollbook migrate | tail -n 1
DATABASE_URL=postgresql://rollbook_app:$secret@127.0.0.1:5432/rollbook as newcomer sh .ci/newcomer.sh

# The tests' own role; what they need of a broker that they kill they start themselves.
export DATABASE_URL="postgresql://tester:$secret@127.0.0.1:5432/postgres"
if [ "$tests" = test ]; then
    as newcomer make test
else
    as newcomer .venv/bin/python -m pytest --quiet --numprocesses=2 tests/contracts tests/events/test_postgres_log.py tests/events/test_partitions.py tests/projections/test_read.py \
        tests/webhooks/broker/test_relay.py tests/servers tests/faults/test_starts.py tests/service/test_subscribers.py
fi

broker_pid=$(cat "$pid_file")
stop
trap - EXIT
if kill -0 "$broker_pid" 2>/dev/null || pgrep -u rabbitmq,postgres -f 'beam|bin/postgres' >/dev/null; then
    ps -ef >&2
    echo "A server still runs after it was stopped." >&2
    exit 1
fi
