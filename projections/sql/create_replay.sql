-- create_replay: the tables of a replay, in the schema whose name is put for `scratch`; see projections/replay.py.
CREATE SCHEMA scratch;
CREATE TABLE scratch.customer (
    account text NOT NULL, livemode boolean NOT NULL, id text NOT NULL, created timestamptz NOT NULL,
    version bigint NOT NULL, position bigint NOT NULL, changed timestamptz NOT NULL, deleted boolean NOT NULL,
    name text, email text, phone text, balance bigint, currency text, test_clock text, object jsonb NOT NULL
);
CREATE TABLE scratch.resource (
    account text NOT NULL, livemode boolean NOT NULL, kind text NOT NULL, id text NOT NULL, parent text,
    created timestamptz NOT NULL, version bigint NOT NULL, deleted boolean NOT NULL, object jsonb NOT NULL,
    facts jsonb NOT NULL
);
CREATE TABLE scratch.due (
    account text NOT NULL, livemode boolean NOT NULL, kind text NOT NULL, id text NOT NULL, task text NOT NULL,
    subject text NOT NULL, due timestamptz NOT NULL, test_clock text
);
CREATE TABLE scratch.event (
    position bigint NOT NULL, account text NOT NULL, livemode boolean NOT NULL, stream text NOT NULL,
    kind text NOT NULL, id text NOT NULL, version bigint NOT NULL, type text NOT NULL, recorded timestamptz NOT NULL,
    actor text NOT NULL, request_id text, idempotency_key text, correlation_id text, causation_id text,
    sealed boolean NOT NULL, data jsonb NOT NULL
);
