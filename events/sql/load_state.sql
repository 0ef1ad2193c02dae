-- load_state: one stream's snapshot by the code given, as a row without a position, and its events after that, in order;
-- without a snapshot all its events. With the key that unseals them.
-- $1 stream, $2 digest of the folding code
WITH kept AS MATERIALIZED (SELECT version, body FROM events.snapshot WHERE stream = $1 AND code = $2)
SELECT each.*, (SELECT k.wrapped FROM keys.subject k WHERE k.stream = $1) AS wrapped
FROM (
    SELECT NULL::bigint AS position, $1 AS stream, version, '' AS account, false AS livemode, '' AS type,
        0::smallint AS schema_version, body AS payload, ''::bytea AS hash, NULL::timestamptz AS recorded_at, '' AS actor,
        NULL AS request_id, NULL AS idempotency_key, NULL AS correlation_id, NULL AS causation_id
    FROM kept
    UNION ALL
    SELECT position, stream, version, account, livemode, type, schema_version, payload, hash, recorded_at, actor,
        request_id, idempotency_key, correlation_id, causation_id
    FROM events.log WHERE stream = $1 AND version > coalesce((SELECT version FROM kept), 0)
) AS each
ORDER BY version;
