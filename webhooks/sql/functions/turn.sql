-- turn: one round trip of a worker: record the results of its attempts and the state of its lanes, fetch more of their
-- deliveries, and lease lanes that are ready.
--
-- Parameters:
--   worker    identifies the worker. A lease lasts for `lease_s`, or up to a third less: it is prolonged only when a
--             third of it is over
--   reports   lanes that the worker has leased. Touched ones are written in any case, the others only if they are ready
--             .known    deliveries of the lane that the worker has already
--             .want     how many more live deliveries it asks for
--             .recovered  how many more recovered deliveries; a quota of their own, so that live ones never wait for them
--             .version  of the endpoint as the worker knows it. If the lane was reset since, only the pace of the
--                       reported state is taken
--             the rest  the lane's state, see webhooks/queue/lane.py
--   results   attempts that ended
--             .attempt   the number of the try, from 1
--             .attempts  tries used up after it
--             .wait_s    seconds until a `retry` is due
--             .outcome   `held`: not retried, but kept, and the later deliveries of its key wait for it
--   leased    null; or, after the answer to a turn was lost, every lane that the worker knows it has leased: its leases
--             of other lanes are ended
--   claims    how many ready lanes to lease at most; only responsive ones (webhooks/queue/lane.py) if `responsive`
--   room      how many deliveries to hand out at most for all lanes leased now; each gets at least one live delivery
--             and one recovered delivery, if it has them
--   full_shares     accounts that have used up their share of the worker (webhooks/dispatch/shares.py): none of their
--                   lanes is leased
--   crowded_shares  accounts of which only responsive lanes are leased
--
-- If `claims` lanes were leased, half as many more are leased of accounts that have none among them, so that an account
-- with many lanes does not block the others (no head-of-line blocking).
--
-- Gives:
--   moment    the database's time
--   lost      touched lanes that another worker has leased; their results are not recorded
--   served    endpoint and state of each lane that was leased, or whose endpoint has changed
--   heads     the deliveries handed out, in order
--   claimed   how many lanes were leased
--   shares    the share key of each of `served`, in the same order
--
-- Of the deliveries of one key only the first is ever due. With it, the worker is handed some that follow, to send one
-- after another; the first of the rest becomes due once all before it have ended.
--
-- A lane with nothing in the worker's hands after the turn is released. Lock order: lanes before their deliveries, and
-- lanes in order of id where the lock waits (webhooks.wake), so that turns cannot deadlock.
--
-- The function has two signatures, both in this file: the migration that replaces a file's functions drops every other
-- one of their names (events/migrate.py).
CREATE OR REPLACE FUNCTION webhooks.turn(
    worker uuid, lease_s double precision, reports webhooks.report[], results webhooks.result[], leased text[],
    claims integer, responsive boolean, room integer, full_shares text[], crowded_shares text[],
    OUT moment timestamptz, OUT lost text[], OUT served webhooks.served[], OUT heads webhooks.head[],
    OUT claimed integer, OUT shares text[]
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    mine text[] := '{}'; -- reported lanes that are locked, and
    kept webhooks.report[] := '{}'; -- their reports
    taken text[] := '{}';
    others text[] := '{}';
    handed_max integer; -- deliveries of each lane that is leased now
    ended_endpoints text[];
    ended_recovered boolean[];
    ended_keys text[];
BEGIN
    moment := clock_timestamp();
    IF cardinality(reports) > 0 THEN
        SELECT coalesce(array_agg(endpoint_id), '{}'), coalesce(array_agg(report), '{}') INTO mine, kept FROM (
            SELECT l.endpoint_id, r AS report
            FROM unnest(reports) AS r JOIN webhooks.lane l ON l.endpoint_id = r.endpoint_id
            WHERE l.lease = worker AND (r.touched OR l.ready_at <= moment)
            ORDER BY l.endpoint_id FOR NO KEY UPDATE OF l
        ) AS locked;
        lost := ARRAY(SELECT endpoint_id FROM unnest(reports) WHERE touched AND endpoint_id <> ALL (mine));
    END IF;
    IF leased IS NOT NULL THEN
        UPDATE webhooks.lane SET ready_at = moment, leased_until = moment WHERE endpoint_id IN (
            SELECT endpoint_id FROM webhooks.lane WHERE lease = worker AND endpoint_id <> ALL (leased)
            FOR NO KEY UPDATE SKIP LOCKED
        );
    END IF;
    IF claims > 0 THEN
        IF cardinality(full_shares) + cardinality(crowded_shares) = 0 THEN
            SELECT coalesce(array_agg(endpoint_id), '{}') INTO taken FROM (
                SELECT endpoint_id FROM webhooks.lane
                WHERE ready_at <= moment AND leased_until <= moment AND endpoint_id <> ALL (mine)
                  AND (NOT responsive OR window_attempts > 0 AND unreachable_in_a_row = 0)
                ORDER BY ready_at LIMIT claims FOR NO KEY UPDATE SKIP LOCKED
            ) AS locked;
        ELSE
            taken := webhooks.claim(moment, claims, mine, responsive, full_shares, crowded_shares);
        END IF;
        IF cardinality(taken) = claims THEN
            others := webhooks.claim(moment, (claims + 1) / 2, mine, responsive, full_shares || ARRAY(
                SELECT DISTINCT webhooks.share(e.account, e.livemode) FROM unnest(taken) AS t
                JOIN webhooks.endpoint e ON e.id = t
            ), crowded_shares);
        END IF;
    END IF;
    claimed := cardinality(taken);
    taken := taken || others;
    handed_max := room / greatest(cardinality(taken), 1);

    IF cardinality(results) > 0 AND cardinality(mine) > 0 THEN
        IF to_regclass('webhooks.attempt' || to_char(moment AT TIME ZONE 'UTC', '_YYYYMMDD')) IS NULL THEN
            PERFORM events.make_day('webhooks.attempt', (moment AT TIME ZONE 'UTC')::date);
        END IF;
        -- A result is recorded only if the delivery still has the attempts it had before, so a result that is reported
        -- twice is recorded once. Where no try was used up, that count is the same, and due_at decides: the delivery was
        -- due, or was sent behind another of its key, and is due later once the result is recorded.
        WITH ended AS (
            DELETE FROM webhooks.delivery d USING unnest(results) AS r
            WHERE r.outcome NOT IN ('retry', 'held') AND r.endpoint_id = ANY (mine)
              AND d.sequence = r.sequence AND d.endpoint_id = r.endpoint_id AND d.attempts = r.attempt - 1
            RETURNING r.*, d.recovered, d.key
        ), postponed AS (
            UPDATE webhooks.delivery d
            SET attempts = r.attempts, held = r.outcome = 'held',
                due_at = CASE r.outcome WHEN 'held' THEN 'infinity' ELSE moment + make_interval(secs => r.wait_s) END
            FROM unnest(results) AS r
            WHERE r.outcome IN ('retry', 'held') AND r.endpoint_id = ANY (mine)
              AND d.sequence = r.sequence AND d.endpoint_id = r.endpoint_id AND d.attempts = r.attempt - 1
              AND (r.attempts = r.attempt OR d.due_at <= moment OR d.due_at = 'infinity' AND NOT d.held)
            RETURNING r.*
        ), recorded AS (
            INSERT INTO webhooks.attempt (at, endpoint_id, sequence, notice_id, attempt, outcome, status, fault,
                duration_ms, next_at, excerpt)
            SELECT moment, endpoint_id, sequence, notice_id, attempt,
                CASE outcome WHEN 'held' THEN 'retry' ELSE outcome END, status, fault,
                duration_ms, moment + make_interval(secs => wait_s), excerpt
            FROM (
                SELECT endpoint_id, sequence, notice_id, attempt, outcome, status, fault, duration_ms, wait_s, excerpt
                FROM ended
                UNION ALL
                SELECT endpoint_id, sequence, notice_id, attempt, outcome, status, fault, duration_ms, wait_s, excerpt
                FROM postponed
            ) AS all_of_them
        )
        SELECT array_agg(endpoint_id), array_agg(recovered), array_agg(key)
        INTO ended_endpoints, ended_recovered, ended_keys
        FROM ended WHERE key IS NOT NULL;
        IF ended_keys IS NOT NULL THEN
            PERFORM webhooks.release(ended_endpoints, ended_recovered, ended_keys);
            moment := clock_timestamp(); -- so that deliveries that became due are handed out by this turn
        END IF;
    END IF;

    IF cardinality(mine) + cardinality(taken) = 0 THEN
        RETURN;
    END IF;
    WITH lane AS (
        SELECT r.endpoint_id, e.api_version, e.thin, e.livemode, e.status = 'enabled' AS enabled,
            e.version <> r.version AS changed, r.known, r.want, r.recovered AS want_recovered, l.leased_until, r.concurrency,
            r.open_until, r.open_s, r.unreachable_in_a_row, r.window_started_at, r.window_attempts, r.window_failures, r.step_in,
            r.quiet_until, r.failing_since, r.failures_in_a_row, r.gone, r.paced_until
        FROM unnest(kept) AS r JOIN webhooks.endpoint e ON e.id = r.endpoint_id AND e.lane_version <= r.version
        JOIN webhooks.lane l ON l.endpoint_id = r.endpoint_id
        UNION ALL
        SELECT l.endpoint_id, e.api_version, e.thin, e.livemode, e.status = 'enabled',
            true, r.known, r.want, r.recovered, l.leased_until, l.concurrency, l.open_until,
            l.open_s, l.unreachable_in_a_row, l.window_started_at, l.window_attempts, l.window_failures, l.step_in,
            l.quiet_until, l.failing_since, l.failures_in_a_row, l.gone, greatest(l.paced_until, r.paced_until)
        FROM unnest(kept) AS r JOIN webhooks.endpoint e ON e.id = r.endpoint_id AND e.lane_version > r.version
        JOIN webhooks.lane l ON l.endpoint_id = r.endpoint_id
        UNION ALL
        SELECT l.endpoint_id, e.api_version, e.thin, e.livemode, e.status = 'enabled',
            true, '{}',
            CASE WHEN l.gone OR l.quiet_until > moment THEN 0 WHEN l.open_until IS NULL
                THEN least(2 * least(l.concurrency, e.in_flight_max), greatest(handed_max * 2 / 3, 1)) ELSE 1 END,
            CASE WHEN l.gone OR l.quiet_until > moment THEN 0 WHEN l.open_until IS NULL
                THEN least(l.concurrency, e.in_flight_max, greatest(handed_max / 3, 1)) ELSE 1 END,
            '-infinity', l.concurrency, l.open_until,
            l.open_s, l.unreachable_in_a_row, l.window_started_at, l.window_attempts, l.window_failures, l.step_in,
            l.quiet_until, l.failing_since, l.failures_in_a_row, l.gone, l.paced_until
        FROM unnest(taken) AS t JOIN webhooks.lane l ON l.endpoint_id = t JOIN webhooks.endpoint e ON e.id = t
    ), outlook AS (
        -- For each lane, the deliveries to hand out and when the next of the rest is due: by one index lookup a lane. A
        -- join of the results would cost the square of the number of lanes.
        -- A lease is prolonged only when a third of it is over, so that a busy lane's index entry rarely changes.
        SELECT lane.*, next.handed,
            CASE WHEN next.due_at IS NULL OR lane.gone THEN 'infinity'
                ELSE greatest(next.due_at, moment, lane.open_until, lane.quiet_until, lane.paced_until) END AS ready_at,
            CASE WHEN next.handed IS NULL AND cardinality(lane.known) = 0 THEN NULL
                ELSE greatest(lane.leased_until, CASE
                    WHEN lane.leased_until < moment + make_interval(secs => lease_s * 2 / 3)
                    THEN moment + make_interval(secs => lease_s) END) END AS held_until
        FROM lane CROSS JOIN LATERAL (
            SELECT array_agg(d.delivery) FILTER (WHERE d.due_at <= moment AND d.rank <= d.wanted) AS handed,
                min(d.due_at) FILTER (WHERE d.due_at > moment OR d.rank > d.wanted) AS due_at
            FROM (
                (SELECT d AS delivery, d.due_at, lane.want AS wanted,
                    row_number() OVER (ORDER BY d.due_at, d.sequence) AS rank
                FROM webhooks.delivery d
                WHERE d.endpoint_id = lane.endpoint_id AND NOT d.recovered AND d.sequence <> ALL (lane.known)
                ORDER BY d.due_at, d.sequence LIMIT CASE WHEN lane.enabled THEN lane.want + 1 ELSE 0 END)
                UNION ALL
                (SELECT d, d.due_at, lane.want_recovered, row_number() OVER (ORDER BY d.due_at, d.sequence)
                FROM webhooks.delivery d
                WHERE d.endpoint_id = lane.endpoint_id AND d.recovered AND d.sequence <> ALL (lane.known)
                ORDER BY d.due_at, d.sequence LIMIT CASE WHEN lane.enabled THEN lane.want_recovered + 1 ELSE 0 END)
            ) AS d
        ) AS next
    ), first AS (
        SELECT d.*, o.api_version, o.thin, o.livemode, o.known,
            CASE WHEN d.recovered THEN o.want_recovered ELSE o.want END AS wanted
        FROM outlook o CROSS JOIN LATERAL unnest(o.handed) AS d
    ), handed AS (
        SELECT endpoint_id, sequence, appended_at, attempts, due_at, recovered, key, api_version, thin, livemode
        FROM first
        UNION ALL
        -- The number that a lane asks for is divided among its keys that are handed out.
        SELECT f.endpoint_id, f.sequence, f.appended_at, f.attempts, f.due_at, f.recovered, f.key, n.api_version, n.thin,
            n.livemode
        FROM (
            SELECT *, count(*) OVER (PARTITION BY endpoint_id, recovered) AS keys FROM first WHERE key IS NOT NULL
        ) AS n CROSS JOIN LATERAL (
            SELECT f.* FROM webhooks.delivery f
            WHERE f.endpoint_id = n.endpoint_id AND f.recovered = n.recovered AND f.key = n.key
              AND f.sequence > n.sequence AND f.due_at = 'infinity' AND NOT f.held AND f.sequence <> ALL (n.known)
            ORDER BY f.sequence LIMIT greatest(n.wanted / n.keys - 1, 0)
        ) AS f
    ), written AS (
        UPDATE webhooks.lane l
        SET ready_at = least(o.ready_at, o.held_until), lease = CASE WHEN o.held_until IS NOT NULL THEN worker END,
            leased_until = coalesce(o.held_until, '-infinity'), concurrency = o.concurrency,
            open_until = o.open_until, open_s = o.open_s, unreachable_in_a_row = o.unreachable_in_a_row,
            window_started_at = o.window_started_at, window_attempts = o.window_attempts,
            window_failures = o.window_failures, step_in = o.step_in, quiet_until = o.quiet_until,
            failing_since = o.failing_since, failures_in_a_row = o.failures_in_a_row, gone = o.gone,
            paced_until = o.paced_until,
            set_aside = CASE WHEN l.endpoint_id <> ALL (mine) THEN l.set_aside END -- a report shows that its data is usable
        FROM outlook o WHERE l.endpoint_id = o.endpoint_id
    )
    SELECT
        serving.served,
        (SELECT array_agg((h.endpoint_id, h.sequence, n.id, h.attempts, h.pending,
                CASE WHEN NOT h.thin AND length(n.body) <= 262144 THEN n.body END, h.api_version, h.recovered, h.key,
                n.type, n.created, h.livemode, n.stream, n.version, n.traceparent)::webhooks.head
            ORDER BY h.due_at, h.sequence)
         FROM (
            SELECT *, max(counted) OVER (PARTITION BY sequence) AS pending FROM (
                SELECT *, CASE WHEN row_number() OVER (PARTITION BY sequence) = 1 THEN (
                    SELECT count(*) FROM ( -- an account usually has at most 16 endpoints: no more are counted
                        SELECT FROM webhooks.delivery p WHERE p.sequence = handed.sequence ORDER BY p.endpoint_id LIMIT 16
                    ) AS p
                ) END AS counted FROM handed
            ) AS once_a_notice
         ) AS h JOIN projections.notice n ON n.sequence = h.sequence AND n.appended_at = h.appended_at),
        serving.shares
    INTO served, heads, shares
    FROM (
        SELECT array_agg((e.id, e.version, e.status, e.url, e.secrets, e.secrets_until, e.on_exhaustion, e.rate_limit,
                e.in_flight_max, lane.concurrency, lane.open_until, lane.open_s, lane.unreachable_in_a_row,
                lane.window_started_at, lane.window_attempts, lane.window_failures, lane.step_in, lane.quiet_until,
                lane.failing_since, lane.failures_in_a_row, lane.gone, lane.paced_until)::webhooks.served) AS served,
            array_agg(webhooks.share(e.account, e.livemode)) AS shares
        FROM lane JOIN webhooks.endpoint e ON e.id = lane.endpoint_id WHERE lane.changed
    ) AS serving;
END $$;

-- turn, with the signature that processes of an older version call during a rolling upgrade.
CREATE OR REPLACE FUNCTION webhooks.turn(
    worker uuid, lease_s double precision, reports webhooks.report[], results webhooks.result[], leased text[],
    claims integer, responsive boolean,
    OUT moment timestamptz, OUT lost text[], OUT served webhooks.served[], OUT heads webhooks.head[],
    OUT claimed integer
) LANGUAGE sql AS $$
    SELECT t.moment, t.lost, t.served, t.heads, t.claimed
    FROM webhooks.turn(worker, lease_s, reports, results, leased, claims, responsive, 1000000, '{}', '{}') AS t
$$;
