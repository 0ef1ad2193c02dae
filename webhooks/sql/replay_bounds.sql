-- replay_bounds: the bounds of a replay, and its number of notices for a subscriber.
-- $1 position after which to begin, or null, $2 time at which to begin, where there is no position, or null,
-- $3 account, or null for all, $4 livemode, or null for both, $5 patterns of types
-- Gives after: the position to begin after; since: a time that none after it is earlier than; head: the last position;
-- oldest: the earliest position after which nothing was dropped yet; count.
WITH bounds AS MATERIALIZED (
    SELECT h.sequence AS head, coalesce((SELECT min(sequence) FROM projections.notice) - 1, h.sequence) AS oldest
    FROM projections.notice_head h
), chosen AS MATERIALIZED (
    SELECT b.*, coalesce($1, (SELECT min(sequence) - 1 FROM projections.notice WHERE appended_at >= $2), b.head) AS after
    FROM bounds b
), starts AS MATERIALIZED (
    SELECT c.*, coalesce((SELECT min(appended_at) FROM projections.notice WHERE sequence = c.after + 1), now()) AS since
    FROM chosen c
)
SELECT s.head, s.oldest, s.after, s.since, (
    SELECT count(*) FROM projections.notice
    WHERE sequence > s.after AND sequence <= s.head AND appended_at >= s.since
      AND ($3::text IS NULL OR account = $3) AND ($4::boolean IS NULL OR livemode = $4) AND type LIKE ANY ($5::text[])
) AS count
FROM starts s;
