-- set_aside: suspend lanes whose stored data is unusable, each with its reason: see webhooks/dispatch/workable.py. They
-- are leased by `worker` or by none. Their pending deliveries are unchanged.
--
-- A lane is suspended by an open circuit breaker, for a minute at first, doubled each time, at most an hour; the rest
-- of its state is reset, since that may be what is unusable. It counts as failing, so the owner is notified. Lanes are
-- locked in order of id (deadlocks): see webhooks.wake.
CREATE OR REPLACE FUNCTION webhooks.set_aside(worker uuid, endpoints text[], reasons text[]) RETURNS void
LANGUAGE sql AS $$
    WITH aside AS (
        SELECT l.endpoint_id, r.reason, clock_timestamp() AS moment,
            CASE WHEN l.open_s BETWEEN 30 AND 1800 THEN l.open_s * 2 WHEN l.open_s > 1800 THEN 3600 ELSE 60 END AS open_s
        FROM unnest(endpoints, reasons) AS r(endpoint_id, reason)
        JOIN webhooks.lane l ON l.endpoint_id = r.endpoint_id
        WHERE l.lease = worker OR l.leased_until <= clock_timestamp()
        ORDER BY l.endpoint_id FOR NO KEY UPDATE OF l
    )
    UPDATE webhooks.lane l SET set_aside = a.reason, lease = NULL, leased_until = '-infinity', open_s = a.open_s,
        open_until = a.moment + make_interval(secs => a.open_s), ready_at = a.moment + make_interval(secs => a.open_s),
        concurrency = DEFAULT, unreachable_in_a_row = DEFAULT, window_started_at = DEFAULT, window_attempts = DEFAULT,
        window_failures = DEFAULT, step_in = DEFAULT, quiet_until = DEFAULT, paced_until = DEFAULT,
        failing_since = CASE WHEN l.failing_since BETWEEN '2000-01-01' AND a.moment THEN l.failing_since ELSE a.moment END,
        failures_in_a_row = CASE WHEN l.failures_in_a_row BETWEEN 0 AND 1000000 THEN l.failures_in_a_row + 1 ELSE 1 END
    FROM aside a WHERE l.endpoint_id = a.endpoint_id
$$;
