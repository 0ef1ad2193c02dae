-- Webhooks: endpoints and their subscriptions, the delivery queue, and the attempts.
--
-- endpoint    the registered URLs as they are now; kept by a trigger of projections.resource, in the same transaction
-- interest    which notices an endpoint wants, by stretches of the sequence: so who gets a notice does not depend on
--             when it is fanned out
-- recovery    what an endpoint has missed and is to get still, brought by and by; see webhooks/sql/functions/recover.sql
-- lane        one row an endpoint: when it is ready for a worker, which worker leases it, its breaker
-- watermark   every notice up to here is fanned out
-- fanned_out  marks of the notices above the watermark that are
-- delivery    what is still to be delivered: a row a notice and endpoint, gone once it is done
-- attempt     every try, partitioned by day
-- relay_cursor  every notice up to here is confirmed by the broker

CREATE SCHEMA IF NOT EXISTS webhooks;

CREATE TABLE webhooks.endpoint (
    id text COLLATE "C" CONSTRAINT endpoint_pkey PRIMARY KEY,
    account text COLLATE "C" NOT NULL,
    livemode boolean NOT NULL,
    version bigint NOT NULL,                       -- of its stream
    status text COLLATE "C" NOT NULL CHECK (status IN ('enabled', 'disabled', 'deleted')),
    url text NOT NULL,
    secrets bytea[] NOT NULL,                      -- sealed by a master key, newest first
    api_version text COLLATE "C",                  -- of its notices; null for the account's own
    lane_version bigint NOT NULL,                  -- of its stream, when its lane was last reset
    notified_since bigint NOT NULL DEFAULT 0,      -- start of the failure its owner was notified of (Unix seconds)
    notified_hours integer NOT NULL DEFAULT 0,     -- and for how long by then
    secrets_until bigint[] NOT NULL DEFAULT '{}',  -- Unix seconds, of each of the secrets; null or absent for good
    stopped_at bigint,                             -- notices above this are not for it yet; null while it is not stopped
    recoveries integer NOT NULL DEFAULT 0,         -- that were asked for
    enabled_events text[] NOT NULL DEFAULT '{}',   -- that it wants now
    -- What its owner rules: see webhooks/endpoints/rules.py.
    ordering text COLLATE "C" NOT NULL DEFAULT 'none' CHECK (ordering IN ('none', 'customer', 'strict')),
    on_exhaustion text COLLATE "C" NOT NULL DEFAULT 'skip' CHECK (on_exhaustion IN ('skip', 'hold')),
    thin boolean NOT NULL DEFAULT false,
    rate_limit integer,                            -- attempts a second
    in_flight_max integer,                         -- attempts in flight
    cancellations integer NOT NULL DEFAULT 0,      -- of all that was pending
    missed text COLLATE "C" NOT NULL DEFAULT 'send' CHECK (missed IN ('send', 'skip')),
    -- What the release before reads.
    told_since bigint GENERATED ALWAYS AS (notified_since) STORED,
    told_hours integer GENERATED ALWAYS AS (notified_hours) STORED
);
CREATE INDEX endpoint_account ON webhooks.endpoint (account, livemode) WHERE status <> 'deleted';
CREATE INDEX endpoint_deleted ON webhooks.endpoint (id) WHERE status = 'deleted';

CREATE TABLE webhooks.interest (
    endpoint_id text COLLATE "C" NOT NULL,
    account text COLLATE "C" NOT NULL,
    livemode boolean NOT NULL,
    above bigint NOT NULL,                         -- notices with a higher sequence than this,
    upto bigint,                                   -- and up to this; null for all that come
    enabled_events text[] NOT NULL,                -- names of types; * is all of them
    ordering text COLLATE "C" NOT NULL DEFAULT 'none' CHECK (ordering IN ('none', 'customer', 'strict')),
    CONSTRAINT interest_pkey PRIMARY KEY (endpoint_id, above)
);
CREATE INDEX interest_account ON webhooks.interest (account, livemode, endpoint_id);
CREATE INDEX interest_in_order ON webhooks.interest (account, livemode, endpoint_id) WHERE ordering <> 'none';
CREATE INDEX interest_ended ON webhooks.interest (upto) WHERE upto IS NOT NULL;

CREATE TABLE webhooks.recovery (
    endpoint_id text COLLATE "C" NOT NULL,
    version bigint NOT NULL,                       -- of its stream, which asked for it
    above bigint NOT NULL,                         -- notices with a higher sequence than this,
    upto bigint NOT NULL,                          -- and up to this,
    since timestamptz NOT NULL,                    -- and no earlier than this
    replay text COLLATE "C" NOT NULL CHECK (replay IN ('all', 'latest', 'skip')),
    in_order boolean NOT NULL DEFAULT false,       -- before whatever comes: until then the endpoint has no interest
    CONSTRAINT recovery_pkey PRIMARY KEY (endpoint_id, version)
);

CREATE TABLE webhooks.lane (
    endpoint_id text COLLATE "C" CONSTRAINT lane_pkey PRIMARY KEY,
    ready_at timestamptz NOT NULL DEFAULT 'infinity',        -- due deliveries nobody holds, a lease that is over
    lease uuid,                                              -- the worker that has it
    leased_until timestamptz NOT NULL DEFAULT '-infinity',
    concurrency integer NOT NULL DEFAULT 4,                  -- from here on as in webhooks/queue/lane.py
    open_until timestamptz,
    open_s integer NOT NULL DEFAULT 0,
    unreachable_in_a_row integer NOT NULL DEFAULT 0,
    window_started_at timestamptz,
    window_attempts integer NOT NULL DEFAULT 0,
    window_failures integer NOT NULL DEFAULT 0,
    step_in integer NOT NULL DEFAULT 0,
    quiet_until timestamptz,
    failing_since timestamptz,
    failures_in_a_row integer NOT NULL DEFAULT 0,
    gone boolean NOT NULL DEFAULT false,
    paced_until timestamptz,
    set_aside text COLLATE "C"                     -- why our own code cannot work with it: see webhooks/dispatch/workable.py
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.1, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX lane_ready ON webhooks.lane (ready_at);
CREATE INDEX lane_failing ON webhooks.lane (failing_since) WHERE failing_since IS NOT NULL;

CREATE TABLE webhooks.watermark (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    sequence bigint NOT NULL DEFAULT 0,
    appended_at timestamptz NOT NULL DEFAULT '-infinity',    -- of that notice; those above are no older
    in_order bigint NOT NULL DEFAULT 0,                      -- and up to here to endpoints with ordered delivery
    in_order_at timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 10);
INSERT INTO webhooks.watermark DEFAULT VALUES;
-- The release before has this name for it.
CREATE VIEW webhooks.floor AS SELECT singleton, sequence, appended_at, in_order, in_order_at FROM webhooks.watermark;

CREATE TABLE webhooks.fanned_out (
    sequence bigint CONSTRAINT fanned_out_pkey PRIMARY KEY
) WITH (autovacuum_vacuum_scale_factor = 0.1, autovacuum_vacuum_cost_delay = 0);

CREATE TABLE webhooks.delivery (
    sequence bigint NOT NULL,
    endpoint_id text COLLATE "C" NOT NULL,
    appended_at timestamptz NOT NULL,              -- of the notice: where its body is
    attempts integer NOT NULL DEFAULT 0,           -- tries used up
    due_at timestamptz NOT NULL,                   -- infinity of one that is held, or waits for one before it
    recovered boolean NOT NULL DEFAULT false,      -- gives way to those that are not
    key text COLLATE "C",                          -- those of one key go one by one, in order of sequence
    held boolean NOT NULL DEFAULT false,           -- its tries are used up, and its endpoint waits for its owner
    CONSTRAINT delivery_pkey PRIMARY KEY (sequence, endpoint_id)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX delivery_head ON webhooks.delivery (endpoint_id, recovered, due_at, sequence);
CREATE INDEX delivery_run ON webhooks.delivery (endpoint_id, recovered, key, sequence) WHERE key IS NOT NULL;
CREATE INDEX delivery_held ON webhooks.delivery (endpoint_id) WHERE held;

CREATE TABLE webhooks.attempt (
    at timestamptz NOT NULL,                       -- when it was recorded, right after it ended
    endpoint_id text COLLATE "C" NOT NULL,
    sequence bigint NOT NULL,
    notice_id text COLLATE "C" NOT NULL,
    attempt integer NOT NULL,                      -- which of the delivery's tries, from 1
    outcome text COLLATE "C" NOT NULL,            -- delivered, retry, gave_up; canceled is no attempt, but an end
    status integer,
    fault text COLLATE "C",                        -- its code: see webhooks/explanation.py
    duration_ms integer NOT NULL,
    next_at timestamptz,                           -- when it is due again, of a retry
    excerpt bytea NOT NULL                         -- how the answer began, at most 4 KiB
) PARTITION BY RANGE (at);
CREATE INDEX attempt_delivery ON webhooks.attempt (endpoint_id, sequence DESC);
CREATE INDEX attempt_in_vain ON webhooks.attempt (sequence) WHERE outcome IN ('gave_up', 'canceled');
CREATE INDEX attempt_of_failed ON webhooks.attempt (endpoint_id, sequence DESC) WHERE outcome IN ('gave_up', 'canceled');

CREATE TABLE webhooks.relay_cursor (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    sequence bigint NOT NULL DEFAULT 0,
    appended_at timestamptz NOT NULL DEFAULT '-infinity',    -- of that notice; those above are no older
    epoch bigint NOT NULL DEFAULT 0                          -- of the relay that may move it: each leader takes the next
) WITH (fillfactor = 10);
INSERT INTO webhooks.relay_cursor DEFAULT VALUES;

-- What webhooks.turn takes and gives: see webhooks/sql/functions/turn.sql.
CREATE TYPE webhooks.result AS (
    endpoint_id text, sequence bigint, notice_id text, attempt integer, outcome text, status integer, fault text,
    duration_ms integer, attempts integer, wait_s double precision, excerpt bytea
);
CREATE TYPE webhooks.report AS (
    endpoint_id text, version bigint, touched boolean, known bigint[], want integer, recovered integer, concurrency integer,
    open_until timestamptz, open_s integer, unreachable_in_a_row integer, window_started_at timestamptz,
    window_attempts integer, window_failures integer, step_in integer, quiet_until timestamptz,
    failing_since timestamptz, failures_in_a_row integer, gone boolean, paced_until timestamptz
);
CREATE TYPE webhooks.served AS (
    endpoint_id text, version bigint, status text, url text, secrets bytea[], secrets_until bigint[],
    on_exhaustion text, rate_limit integer, in_flight_max integer, concurrency integer,
    open_until timestamptz, open_s integer, unreachable_in_a_row integer, window_started_at timestamptz,
    window_attempts integer, window_failures integer, step_in integer, quiet_until timestamptz,
    failing_since timestamptz, failures_in_a_row integer, gone boolean, paced_until timestamptz
);
CREATE TYPE webhooks.head AS (
    endpoint_id text, sequence bigint, notice_id text, attempts integer, pending integer, body bytea, api_version text,
    recovered boolean, key text, type text, created bigint, livemode boolean, stream text, version bigint,
    traceparent text
);

GRANT USAGE ON SCHEMA webhooks TO rollbook_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON webhooks.endpoint, webhooks.interest, webhooks.recovery, webhooks.lane,
    webhooks.delivery TO rollbook_service;
GRANT SELECT, UPDATE ON webhooks.watermark, webhooks.relay_cursor TO rollbook_service;
GRANT SELECT, UPDATE ON webhooks.floor TO rollbook_service;
GRANT SELECT, INSERT, DELETE ON webhooks.fanned_out TO rollbook_service;
GRANT SELECT, INSERT, UPDATE (excerpt) ON webhooks.attempt TO rollbook_service; -- it is emptied with an erasure
