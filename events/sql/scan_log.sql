-- scan_log: events of one account and mode in a stretch of the log, in commit order.
-- $1 position after which, $2 last position, $3 account, $4 mode, $5 types or null, $6 actor or null,
-- $7 recorded from (inclusive) or null, $8 to (exclusive) or null, $9 how many at most
SELECT * FROM events.log
WHERE position > $1 AND position <= $2 AND account = $3 AND livemode = $4
    AND ($5::text[] IS NULL OR type = ANY ($5)) AND ($6::text IS NULL OR actor = $6)
    AND ($7::timestamptz IS NULL OR recorded_at >= $7) AND ($8::timestamptz IS NULL OR recorded_at < $8)
ORDER BY position LIMIT $9;
