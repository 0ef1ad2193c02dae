-- Owners set rules for what is sent to their endpoints: order, thin notices, a rate, a limit of what is on its way.

ALTER TABLE webhooks.endpoint
    ADD COLUMN enabled_events text[] NOT NULL DEFAULT '{}',
    ADD COLUMN ordering text COLLATE "C" NOT NULL DEFAULT 'none' CHECK (ordering IN ('none', 'customer', 'strict')),
    ADD COLUMN on_exhaustion text COLLATE "C" NOT NULL DEFAULT 'skip' CHECK (on_exhaustion IN ('skip', 'hold')),
    ADD COLUMN thin boolean NOT NULL DEFAULT false,
    ADD COLUMN rate_limit integer,
    ADD COLUMN in_flight_max integer;
UPDATE webhooks.endpoint e SET enabled_events = ARRAY(SELECT jsonb_array_elements_text(r.facts -> 'enabled_events'))
FROM projections.resource r
WHERE r.account = e.account AND r.livemode = e.livemode AND r.kind = 'webhook_endpoint' AND r.id = e.id;

ALTER TABLE webhooks.interest
    ADD COLUMN ordering text COLLATE "C" NOT NULL DEFAULT 'none' CHECK (ordering IN ('none', 'customer', 'strict'));
CREATE INDEX interest_in_order ON webhooks.interest (account, livemode, endpoint_id) WHERE ordering <> 'none';

ALTER TABLE webhooks.recovery ADD COLUMN in_order boolean NOT NULL DEFAULT false;

ALTER TABLE webhooks.lane ADD COLUMN paced_until timestamptz;

ALTER TABLE webhooks.floor
    ADD COLUMN in_order bigint NOT NULL DEFAULT 0,
    ADD COLUMN in_order_at timestamptz NOT NULL DEFAULT '-infinity';
UPDATE webhooks.floor SET in_order = sequence, in_order_at = appended_at;

ALTER TABLE webhooks.delivery
    ADD COLUMN key text COLLATE "C",
    ADD COLUMN held boolean NOT NULL DEFAULT false;
CREATE INDEX delivery_run ON webhooks.delivery (endpoint_id, recovered, key, sequence) WHERE key IS NOT NULL;
CREATE INDEX delivery_held ON webhooks.delivery (endpoint_id) WHERE held;

DROP FUNCTION IF EXISTS webhooks.turn;
DROP TYPE webhooks.report, webhooks.served, webhooks.head;
CREATE TYPE webhooks.report AS (
    endpoint_id text, version bigint, touched boolean, known bigint[], want integer, spare integer, concurrency integer,
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
    recovered boolean, key text, type text, created bigint, livemode boolean, stream text, version bigint
);
