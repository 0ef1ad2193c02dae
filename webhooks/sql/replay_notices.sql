-- replay_notices: the notices of a subscriber after a position, in order.
-- $1 the position, $2 the last position, $3 a time that none is earlier than, which spares the partitions of earlier
-- days, $4 account, or null for all, $5 livemode, or null for both, $6 patterns of types, $7 how many at most
SELECT * FROM projections.notice
WHERE sequence > $1 AND sequence <= $2 AND appended_at >= $3
  AND ($4::text IS NULL OR account = $4) AND ($5::boolean IS NULL OR livemode = $5) AND type LIKE ANY ($6::text[])
ORDER BY sequence LIMIT $7;
