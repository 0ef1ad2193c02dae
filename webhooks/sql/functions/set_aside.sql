-- set_aside: leave lanes alone whose stored data our own code cannot work with, each with its reason: see
-- webhooks/dispatch/workable.py. `worker` has them, or nobody has. What waits for them stays as it is.
--
-- It is an open breaker, for a minute at first and twice as long each further time up to an hour; whatever else the lane
-- has learnt is begun anew, for that may be what cannot be worked with. It counts as failing, so that the owner is
-- notified. Lanes are locked in order of id: see webhooks.wake.
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

-- suspects: of the lanes that `worker` has or could lease next, those whose leasing may be what made a turn fail: their
-- state or rules hold values that none may have, each with the reason. Where none does, the one that has been ready
-- longest.
CREATE OR REPLACE FUNCTION webhooks.suspects(worker uuid, claims integer, OUT endpoint_id text, OUT reason text)
RETURNS SETOF record LANGUAGE sql AS $$
    WITH near AS (
        (SELECT * FROM webhooks.lane WHERE ready_at <= clock_timestamp() AND leased_until <= clock_timestamp()
         ORDER BY ready_at LIMIT greatest(claims, 1) * 2)
        UNION
        (SELECT * FROM webhooks.lane WHERE lease = worker)
    ), unsound AS (
        SELECT l.endpoint_id,
            CASE WHEN e.rate_limit NOT BETWEEN 1 AND 1000 OR e.in_flight_max NOT BETWEEN 1 AND 32 THEN 'rules_invalid'
                ELSE 'state_invalid' END AS reason
        FROM near l LEFT JOIN webhooks.endpoint e ON e.id = l.endpoint_id
        WHERE l.concurrency NOT BETWEEN 1 AND 32 OR l.open_s NOT BETWEEN 0 AND 3600 OR l.step_in NOT BETWEEN 0 AND 32
           OR l.unreachable_in_a_row NOT BETWEEN 0 AND 1000000000 OR l.failures_in_a_row NOT BETWEEN 0 AND 1000000000
           OR l.window_attempts NOT BETWEEN 0 AND 1000000000 OR l.window_failures NOT BETWEEN 0 AND 1000000000
           OR e.rate_limit NOT BETWEEN 1 AND 1000 OR e.in_flight_max NOT BETWEEN 1 AND 32
           OR EXISTS (
                SELECT FROM unnest(ARRAY[l.open_until, l.quiet_until, l.failing_since, l.window_started_at, l.paced_until])
                    AS t(at) WHERE t.at NOT BETWEEN '2000-01-01' AND '3000-01-01')
    )
    SELECT endpoint_id, reason FROM unsound
    UNION ALL
    (SELECT endpoint_id, 'statement_failed' FROM near WHERE NOT EXISTS (SELECT FROM unsound) ORDER BY ready_at LIMIT 1)
$$;
