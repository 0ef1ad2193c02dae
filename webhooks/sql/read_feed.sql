-- read_feed: the notices of an account and mode after a position, in order, each with the bounds of the feed; one row
-- with only the bounds if there are none.
-- $1 account, $2 livemode, $3 the position, null for the last there is, $4 a time that none after it is earlier than,
-- which spares the partitions of earlier days, or null, $5 types, or null for all, $6 how many at most,
-- $7 how many bytes of bodies are enough
-- Gives head and head_at: the last notice's position and time, whosever it is; and oldest: the earliest position after
-- which nothing was dropped yet.
WITH bounds AS MATERIALIZED (
    SELECT h.sequence AS head, h.appended_at AS head_at,
        coalesce((SELECT min(sequence) FROM projections.notice) - 1, h.sequence) AS oldest
    FROM projections.notice_head h
), found AS (
    SELECT n.sequence, n.body, sum(length(n.body)) OVER (ORDER BY n.sequence) - length(n.body) AS bytes_before
    FROM (
        SELECT sequence, body FROM projections.notice
        WHERE account = $1 AND livemode = $2 AND sequence > $3 AND appended_at >= coalesce($4, '-infinity'::timestamptz)
          AND ($5::text[] IS NULL OR type = ANY ($5))
        ORDER BY sequence LIMIT $6
    ) n
)
SELECT b.head, b.head_at, b.oldest, f.sequence, f.body
FROM bounds b LEFT JOIN found f ON f.bytes_before < $7
ORDER BY f.sequence;
