#!/bin/sh
# Against the system's own PostgreSQL and RabbitMQ, as root in a root that has them: `own-servers.sh test-fast|test`.
#
# PostgreSQL lets in by scram-sha-256 only. The service's role owns its database and is no superuser. The role of the tests is
# one: they end other sessions, drop databases in use and empty tables past their triggers.
set -eu
cd "$(dirname "$0")/.."

tests=${1:?test-fast or test}
version=$(ls /usr/lib/postgresql)
local_node=rabbit@localhost
secret=$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')

as() { user=$1; shift; runuser -u "$user" -- "$@"; }
sql() { as postgres psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --command "$1" "${2:-postgres}"; }

pg_dropcluster --stop "$version" main 2>/dev/null || true
mkdir -p /run/postgresql && chown postgres:postgres /run/postgresql
pg_createcluster --locale C.UTF-8 --encoding UTF8 --port 5432 "$version" main \
    -o max_connections=300 -o password_encryption=scram-sha-256 -- --auth-host=scram-sha-256 >/dev/null
pg_ctlcluster "$version" main start
sql "CREATE ROLE rollbook_service NOLOGIN"
sql "CREATE ROLE rollbook LOGIN NOSUPERUSER PASSWORD '$secret'"
sql "GRANT rollbook_service TO rollbook"
sql "CREATE DATABASE rollbook OWNER rollbook"
sql "CREATE ROLE tester LOGIN SUPERUSER PASSWORD '$secret'"
DATABASE_URL=postgresql://rollbook:$secret@127.0.0.1:5432/rollbook

export RABBITMQ_NODENAME=$local_node HOME=/var/lib/rabbitmq
rm -rf /var/lib/rabbitmq/mnesia
# Not `-detached`, which writes no pid file: `wait` watches that process, while `await_startup` fails until the node is named.
RABBITMQ_PID_FILE=/run/rabbitmq.pid rabbitmq-server >/run/rabbitmq.out 2>&1 &
rabbitmqctl --quiet --node "$local_node" --timeout 90 wait /run/rabbitmq.pid || { cat /run/rabbitmq.out >&2; exit 1; }
rabbitmqctl --quiet --node "$local_node" add_vhost rollbook
rabbitmqctl --quiet --node "$local_node" add_user rollbook "$secret"
rabbitmqctl --quiet --node "$local_node" set_permissions --vhost rollbook rollbook '.*' '.*' '.*'
AMQP_URL=amqp://rollbook:$secret@127.0.0.1:5672/rollbook
export HOME=/home/newcomer
unset RABBITMQ_NODENAME

sql "SELECT version()" | sed -n 3p
echo "RabbitMQ $(rabbitmqctl --quiet --node "$local_node" version)"

export DATABASE_URL AMQP_URL
as newcomer sh .ci/newcomer.sh

# The tests' own role; what they need of a broker that they kill they start themselves.
export DATABASE_URL="postgresql://tester:$secret@127.0.0.1:5432/postgres"
if [ "$tests" = test ]; then
    as newcomer make test
else
    as newcomer .venv/bin/python -m pytest --quiet --numprocesses=2 tests/contracts tests/events/test_postgres_log.py tests/events/test_partitions.py tests/projections/test_read.py \
        tests/webhooks/broker/test_relay.py tests/servers tests/faults/test_starts.py tests/service/test_subscribers.py
fi

rabbitmqctl --quiet --node "$local_node" stop
pg_ctlcluster "$version" main stop --mode fast
