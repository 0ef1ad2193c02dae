-- get_many_resources: the stored bodies of many objects of one account, mode and kind, deleted ones as they last were.
-- $1 account, $2 livemode, $3 kind, $4 ids, $5 bytes of bodies at most: one row for each id; an object not found gives nulls
-- A body that exceeds the bytes is null, with its size beside it.
SELECT bytes, CASE WHEN sum(bytes) OVER (ORDER BY n ROWS UNBOUNDED PRECEDING) <= $5 THEN body END AS body
FROM (
    SELECT asked.n, r.body, octet_length(r.body) AS bytes
    FROM unnest($4::text[]) WITH ORDINALITY AS asked(id, n)
    LEFT JOIN projections.resource r
        ON r.account = $1 AND r.livemode = $2 AND r.id = asked.id AND r.kind = $3
) AS found
ORDER BY n;
