-- get_many_customers: the stored bodies of many customers of one account and mode, deleted ones included.
-- $1 account, $2 livemode, $3 ids, $4 bytes of bodies at most: one row for each id; a customer not found gives nulls
-- A body that exceeds the bytes is null, with its size beside it.
SELECT bytes, CASE WHEN sum(bytes) OVER (ORDER BY n ROWS UNBOUNDED PRECEDING) <= $4 THEN body END AS body
FROM (
    SELECT asked.n, c.body, octet_length(c.body) AS bytes
    FROM unnest($3::text[]) WITH ORDINALITY AS asked(id, n)
    LEFT JOIN projections.customer c ON c.account = $1 AND c.livemode = $2 AND c.id = asked.id
) AS found
ORDER BY n;
