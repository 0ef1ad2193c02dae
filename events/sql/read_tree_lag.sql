-- read_tree_lag: what of the log is not sealed, and what is not under a checkpoint, in events and by the oldest of them.
SELECT
    h.position - t.size AS unsealed,
    (SELECT clock_timestamp() - recorded_at FROM events.log WHERE position = t.size + 1) AS unsealed_for,
    h.position - coalesce(c.size, 0) AS unsigned,
    (SELECT clock_timestamp() - recorded_at FROM events.log WHERE position = coalesce(c.size, 0) + 1) AS unsigned_for
FROM events.head h
CROSS JOIN events.tree t
LEFT JOIN LATERAL (SELECT size FROM events.checkpoint ORDER BY size DESC LIMIT 1) c ON true;
