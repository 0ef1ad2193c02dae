-- find_status: the delivery status of endpoints that are not deleted.
-- $1 account, $2 livemode, $3 endpoints, $4 how many deliveries are counted at most
-- Gives settled: the position up to which nothing is to be sent any more; failed: that of the first notice since that was
-- given up and never taken. A recovery counts from where it is.
-- A time that cannot be shown, for which a worker sets the lane aside, is given as none.
SELECT e.id, e.status, e.url, e.livemode, e.ordering, e.missed, e.on_exhaustion, e.thin, e.rate_limit, e.in_flight_max,
    l.concurrency, CASE WHEN l.open_until BETWEEN '1970-01-01' AND '9999-01-01' THEN l.open_until END AS open_until,
    CASE WHEN l.quiet_until BETWEEN '1970-01-01' AND '9999-01-01' THEN l.quiet_until END AS quiet_until,
    CASE WHEN l.failing_since BETWEEN '1970-01-01' AND '9999-01-01' THEN l.failing_since END AS failing_since, l.gone, l.set_aside, r.above IS NOT NULL AS recovering,
    (SELECT count(*) FROM (SELECT FROM webhooks.delivery d WHERE d.endpoint_id = e.id LIMIT $4) AS d) AS pending,
    (SELECT count(*) FROM (SELECT FROM webhooks.delivery d WHERE d.endpoint_id = e.id AND d.held LIMIT $4) AS d) AS held,
    least(
        CASE e.ordering WHEN 'none' THEN w.sequence ELSE w.in_order END, r.above, e.stopped_at,
        (SELECT min(d.sequence) - 1 FROM webhooks.delivery d WHERE d.endpoint_id = e.id)
    ) AS settled, (
        SELECT a.sequence FROM webhooks.attempt a
        WHERE a.endpoint_id = e.id AND a.outcome IN ('gave_up', 'canceled') AND a.outcome = 'gave_up' AND NOT EXISTS (
            SELECT FROM webhooks.attempt t
            WHERE t.endpoint_id = a.endpoint_id AND t.sequence = a.sequence AND t.outcome = 'delivered')
        ORDER BY a.sequence LIMIT 1
    ) AS failed
FROM webhooks.endpoint e
JOIN webhooks.lane l ON l.endpoint_id = e.id
CROSS JOIN webhooks.watermark w
LEFT JOIN LATERAL (SELECT min(r.above) AS above FROM webhooks.recovery r WHERE r.endpoint_id = e.id) AS r ON true
WHERE e.id = ANY ($3) AND e.account = $1 AND e.livemode = $2 AND e.status <> 'deleted';
