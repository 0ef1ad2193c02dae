-- find_failing: enabled endpoints that answered 410 Gone, or have been failing at least since a time.
-- $1 the time
-- Gives, with what their lane learnt, for how many hours of this failure the owner was notified.
SELECT e.id, e.account, e.livemode, e.version, l.failing_since, l.failures_in_a_row, l.gone,
    CASE WHEN e.notified_since = floor(extract(epoch FROM l.failing_since)) THEN e.notified_hours ELSE 0 END AS notified_hours
FROM webhooks.lane l JOIN webhooks.endpoint e ON e.id = l.endpoint_id AND e.status = 'enabled'
WHERE l.failing_since IS NOT NULL AND (l.gone OR l.failing_since <= $1)
ORDER BY l.failing_since;
