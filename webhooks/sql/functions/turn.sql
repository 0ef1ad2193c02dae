-- turn: one worker's whole traffic with the database: record what its attempts came to, say how its lanes are, take
-- more deliveries of those, and lease lanes that are ready.
--
--   worker    names the worker; it has a lane for `lease_s` from when it leased it or last reported it as touched,
--             or a third less
--   reports   lanes it holds; touched ones are written whatever happens, the others looked at if they became ready:
--             .known    deliveries of the lane that it holds still, .want how many more it would hold, and .spare how
--                       many more that are recovered: those have places of their own, so that live ones never wait
--             .version  of the endpoint as it knows it; the lane's state is ignored if it began anew since
--             the rest  the lane's state, see webhooks/lane.py
--   results   attempts that ended: .attempt is which try it was, .attempts how many are used up now, .wait_s how long
--             until the next of a `retry`
--   held      null; or, when the answer to an earlier turn was lost, every lane it knows it holds, so that it leases
--             again those it does not know of
--   claims    how many ready lanes to lease at most, of those alone that are `proven` where that is asked: see
--             webhooks/lane.py
--
-- Gives the database's time; `lost`, lanes reported that others have leased since, whose results are not recorded;
-- `served`, the endpoint and state of each lane that was leased or whose endpoint changed; `heads`, the deliveries that
-- the worker now holds, in order; and how many lanes were leased.
--
-- A lane of which the worker holds nothing after the turn is let go. Lanes are locked before their deliveries are
-- looked at, and those waited for in order of id: see make_deliveries.
CREATE OR REPLACE FUNCTION webhooks.turn(
    worker uuid, lease_s double precision, reports webhooks.report[], results webhooks.result[], held text[],
    claims integer, proven boolean,
    OUT moment timestamptz, OUT lost text[], OUT served webhooks.served[], OUT heads webhooks.head[],
    OUT claimed integer
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    mine text[] := '{}';
    taken text[] := '{}';
BEGIN
    moment := clock_timestamp();
    IF cardinality(reports) > 0 THEN
        SELECT coalesce(array_agg(endpoint_id), '{}') INTO mine FROM (
            SELECT l.endpoint_id
            FROM unnest(reports) AS r JOIN webhooks.lane l ON l.endpoint_id = r.endpoint_id
            WHERE l.lease = worker AND (r.touched OR l.ready_at <= moment)
            ORDER BY l.endpoint_id FOR NO KEY UPDATE OF l
        ) AS locked;
        lost := ARRAY(SELECT endpoint_id FROM unnest(reports) WHERE touched AND endpoint_id <> ALL (mine));
    END IF;
    IF held IS NOT NULL THEN
        UPDATE webhooks.lane SET ready_at = moment, leased_until = moment WHERE endpoint_id IN (
            SELECT endpoint_id FROM webhooks.lane WHERE lease = worker AND endpoint_id <> ALL (held)
            FOR NO KEY UPDATE SKIP LOCKED
        );
    END IF;
    IF claims > 0 THEN
        SELECT coalesce(array_agg(endpoint_id), '{}') INTO taken FROM (
            SELECT endpoint_id FROM webhooks.lane
            WHERE ready_at <= moment AND leased_until <= moment AND endpoint_id <> ALL (mine)
              AND (NOT proven OR window_attempts > 0 AND unreachable_in_a_row = 0)
            ORDER BY ready_at LIMIT claims FOR NO KEY UPDATE SKIP LOCKED
        ) AS locked;
    END IF;
    claimed := cardinality(taken);

    IF cardinality(results) > 0 AND cardinality(mine) > 0 THEN
        IF to_regclass('webhooks.attempt' || to_char(moment AT TIME ZONE 'UTC', '_YYYYMMDD')) IS NULL THEN
            PERFORM events.make_day('webhooks.attempt', (moment AT TIME ZONE 'UTC')::date);
        END IF;
        -- A result counts if its delivery is as the attempt found it: told twice, it is recorded once.
        WITH ended AS (
            DELETE FROM webhooks.delivery d USING unnest(results) AS r
            WHERE r.outcome <> 'retry' AND r.endpoint_id = ANY (mine)
              AND d.sequence = r.sequence AND d.endpoint_id = r.endpoint_id AND d.attempts = r.attempt - 1
            RETURNING r.*
        ), postponed AS (
            UPDATE webhooks.delivery d
            SET attempts = r.attempts, due_at = moment + make_interval(secs => r.wait_s)
            FROM unnest(results) AS r
            WHERE r.outcome = 'retry' AND r.endpoint_id = ANY (mine)
              AND d.sequence = r.sequence AND d.endpoint_id = r.endpoint_id AND d.attempts = r.attempt - 1
            RETURNING r.*
        )
        INSERT INTO webhooks.attempt (at, endpoint_id, sequence, notice_id, attempt, outcome, status, fault,
            duration_ms, next_at, excerpt)
        SELECT moment, endpoint_id, sequence, notice_id, attempt, outcome, status, fault, duration_ms,
            moment + make_interval(secs => wait_s), excerpt
        FROM (SELECT * FROM ended UNION ALL SELECT * FROM postponed) AS recorded;
    END IF;

    IF cardinality(mine) + cardinality(taken) = 0 THEN
        RETURN;
    END IF;
    WITH lane AS (
        SELECT r.endpoint_id, e.api_version, e.status = 'enabled' AS enabled, e.version <> r.version AS told, r.known,
            r.want, r.spare, l.leased_until, r.concurrency, r.open_until, r.open_s, r.unreachable_in_a_row,
            r.window_started_at, r.window_attempts, r.window_failures, r.step_in, r.quiet_until, r.failing_since, r.failures_in_a_row, r.gone
        FROM unnest(reports) AS r JOIN webhooks.endpoint e ON e.id = r.endpoint_id AND e.lane_version <= r.version
        JOIN webhooks.lane l ON l.endpoint_id = r.endpoint_id
        WHERE r.endpoint_id = ANY (mine)
        UNION ALL
        SELECT l.endpoint_id, e.api_version, e.status = 'enabled', true, r.known,
            r.want, r.spare, l.leased_until, l.concurrency, l.open_until, l.open_s, l.unreachable_in_a_row,
            l.window_started_at, l.window_attempts, l.window_failures, l.step_in, l.quiet_until, l.failing_since, l.failures_in_a_row, l.gone
        FROM unnest(reports) AS r JOIN webhooks.endpoint e ON e.id = r.endpoint_id AND e.lane_version > r.version
        JOIN webhooks.lane l ON l.endpoint_id = r.endpoint_id
        WHERE r.endpoint_id = ANY (mine)
        UNION ALL
        SELECT l.endpoint_id, e.api_version, e.status = 'enabled', true, '{}',
            CASE WHEN l.gone OR l.quiet_until > moment THEN 0 WHEN l.open_until IS NULL THEN 2 * l.concurrency ELSE 1 END,
            CASE WHEN l.gone OR l.quiet_until > moment THEN 0 WHEN l.open_until IS NULL THEN l.concurrency ELSE 1 END,
            '-infinity', l.concurrency, l.open_until, l.open_s, l.unreachable_in_a_row, l.window_started_at,
            l.window_attempts, l.window_failures, l.step_in, l.quiet_until, l.failing_since, l.failures_in_a_row, l.gone
        FROM unnest(taken) AS t JOIN webhooks.lane l ON l.endpoint_id = t JOIN webhooks.endpoint e ON e.id = t
    ), next AS (
        SELECT d.*, lane.api_version,
            d.place <= CASE WHEN d.recovered THEN lane.spare ELSE lane.want END AND d.due_at <= moment AS handed
        FROM lane CROSS JOIN LATERAL (
            (SELECT d.endpoint_id, d.sequence, d.appended_at, d.attempts, d.due_at, d.recovered,
                row_number() OVER (ORDER BY d.due_at, d.sequence) AS place
            FROM webhooks.delivery d
            WHERE d.endpoint_id = lane.endpoint_id AND NOT d.recovered AND d.sequence <> ALL (lane.known)
            ORDER BY d.due_at, d.sequence LIMIT CASE WHEN lane.enabled THEN lane.want + 1 ELSE 0 END)
            UNION ALL
            (SELECT d.endpoint_id, d.sequence, d.appended_at, d.attempts, d.due_at, d.recovered,
                row_number() OVER (ORDER BY d.due_at, d.sequence) AS place
            FROM webhooks.delivery d
            WHERE d.endpoint_id = lane.endpoint_id AND d.recovered AND d.sequence <> ALL (lane.known)
            ORDER BY d.due_at, d.sequence LIMIT CASE WHEN lane.enabled THEN lane.spare + 1 ELSE 0 END)
        ) AS d
    ), rest AS (
        SELECT endpoint_id, bool_or(handed) AS handed, min(due_at) FILTER (WHERE NOT handed) AS due_at
        FROM next GROUP BY endpoint_id
    ), outlook AS (
        -- A lease is prolonged when a third of it is over, so that a busy lane's row rarely changes in its index.
        SELECT lane.*, CASE WHEN rest.due_at IS NULL OR lane.gone THEN 'infinity'
                ELSE greatest(rest.due_at, moment, lane.open_until, lane.quiet_until) END AS ready_at,
            CASE WHEN NOT coalesce(rest.handed, false) AND cardinality(lane.known) = 0 THEN NULL
                ELSE greatest(lane.leased_until, CASE
                    WHEN lane.leased_until < moment + make_interval(secs => lease_s * 2 / 3)
                    THEN moment + make_interval(secs => lease_s) END) END AS held_until
        FROM lane LEFT JOIN rest ON rest.endpoint_id = lane.endpoint_id
    ), written AS (
        UPDATE webhooks.lane l
        SET ready_at = least(o.ready_at, o.held_until), lease = CASE WHEN o.held_until IS NOT NULL THEN worker END,
            leased_until = coalesce(o.held_until, '-infinity'), concurrency = o.concurrency,
            open_until = o.open_until, open_s = o.open_s, unreachable_in_a_row = o.unreachable_in_a_row,
            window_started_at = o.window_started_at, window_attempts = o.window_attempts,
            window_failures = o.window_failures, step_in = o.step_in, quiet_until = o.quiet_until,
            failing_since = o.failing_since, failures_in_a_row = o.failures_in_a_row, gone = o.gone
        FROM outlook o WHERE l.endpoint_id = o.endpoint_id
    )
    SELECT
        (SELECT array_agg((e.id, e.version, e.status, e.url, e.secrets, lane.concurrency, lane.open_until,
                lane.open_s, lane.unreachable_in_a_row, lane.window_started_at, lane.window_attempts,
                lane.window_failures, lane.step_in, lane.quiet_until, lane.failing_since, lane.failures_in_a_row,
                lane.gone, e.secrets_until)::webhooks.served)
         FROM lane JOIN webhooks.endpoint e ON e.id = lane.endpoint_id WHERE lane.told),
        (SELECT array_agg((next.endpoint_id, next.sequence, n.id, next.attempts, (
                SELECT count(*) FROM ( -- an account has 16 endpoints as a rule, and beyond that nobody counts
                    SELECT FROM webhooks.delivery p WHERE p.sequence = next.sequence ORDER BY p.endpoint_id LIMIT 16
                ) AS p
            ), n.body, next.api_version, next.recovered)::webhooks.head ORDER BY next.due_at, next.sequence)
         FROM next JOIN projections.notice n ON n.sequence = next.sequence AND n.appended_at = next.appended_at
         WHERE next.handed)
    INTO served, heads;
END $$;
