-- suspects: of the lanes that `worker` has leased or could lease next, those that may have made a turn fail: their
-- state or rules have invalid values, each with the reason. If there is none, the lane that has been ready longest.
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
