-- read_backlog: backlog and lag of all processes together; see webhooks/queue/lag.py.
-- $1 how many deliveries, and how many lanes and endpoints, are counted at most
-- It costs no more than that, however much waits: the rest are single rows found by index. Which delivery has been due
-- longest is looked for in the hundred lanes that have been ready longest.
SELECT
    head.sequence - relay.sequence AS relay_notices,
    now.moment - (
        SELECT n.appended_at FROM projections.notice n
        WHERE n.appended_at >= relay.appended_at AND n.sequence > relay.sequence ORDER BY n.sequence LIMIT 1
    ) AS relay_lag,
    head.sequence - watermark.sequence AS fan_out_notices,
    now.moment - (
        SELECT n.appended_at FROM projections.notice n
        WHERE n.appended_at >= watermark.appended_at AND n.sequence > watermark.sequence ORDER BY n.sequence LIMIT 1
    ) AS fan_out_lag,
    log.position - search.position AS search_events,
    now.moment - (
        SELECT l.recorded_at FROM events.log l WHERE l.position > search.position ORDER BY l.position LIMIT 1
    ) AS search_lag,
    now.moment - (
        SELECT to_timestamp(d.try_at) FROM projections.due d -- 0 is at once, whenever it was said
        WHERE d.try_at BETWEEN 1 AND floor(extract(epoch FROM now.moment))::bigint ORDER BY d.try_at LIMIT 1
    ) AS due_lag,
    (SELECT count(*) FROM (SELECT FROM webhooks.delivery ORDER BY sequence, endpoint_id LIMIT $1) AS d) AS pending,
    now.moment - (
        SELECT min(d.due_at)
        FROM (
            SELECT l.endpoint_id FROM webhooks.lane l WHERE l.ready_at <= now.moment ORDER BY l.ready_at LIMIT 100
        ) AS l CROSS JOIN LATERAL (
            SELECT d.due_at FROM webhooks.delivery d
            WHERE d.endpoint_id = l.endpoint_id AND NOT d.recovered AND d.due_at < 'infinity' ORDER BY d.due_at LIMIT 1
        ) AS d
    ) AS overdue,
    lanes.*,
    (
        SELECT count(*) FROM (SELECT status FROM webhooks.endpoint ORDER BY id LIMIT $1) AS e WHERE e.status = 'disabled'
    ) AS paused,
    (SELECT count(*) FROM (SELECT FROM webhooks.delivery d WHERE d.held LIMIT $1) AS d) AS held,
    (SELECT count(*) FROM (SELECT FROM projections.parked LIMIT $1) AS p) AS parked
FROM (SELECT clock_timestamp() AS moment) AS now, projections.notice_head head, events.head log,
    webhooks.relay_cursor relay, webhooks.watermark, projections.checkpoint search
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE l.leased_until <= now.moment AND l.ready_at = 'infinity') AS idle,
        count(*) FILTER (
            WHERE l.leased_until <= now.moment AND l.ready_at > now.moment AND l.ready_at < 'infinity'
        ) AS scheduled,
        count(*) FILTER (WHERE l.leased_until <= now.moment AND l.ready_at <= now.moment) AS ready,
        count(*) FILTER (WHERE l.leased_until > now.moment) AS leased,
        count(*) FILTER (WHERE l.open_until IS NULL) AS closed,
        count(*) FILTER (WHERE l.open_until > now.moment) AS open,
        count(*) FILTER (WHERE l.open_until <= now.moment) AS half_open,
        count(*) FILTER (WHERE l.quiet_until > now.moment) AS quiet,
        count(*) FILTER (WHERE l.gone) AS gone,
        count(*) FILTER (WHERE l.set_aside IS NOT NULL) AS set_aside
    FROM (SELECT * FROM webhooks.lane ORDER BY endpoint_id LIMIT $1) AS l
) AS lanes
WHERE search.name = 'search.2';
