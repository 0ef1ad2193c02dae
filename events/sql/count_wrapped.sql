-- count_wrapped: how many keys and secrets each master key wraps, by the name of the master key.
SELECT 'keys of streams' AS what, substring(wrapped FROM 1 FOR 4) AS name, count(*) AS n FROM keys.subject GROUP BY 2
UNION ALL
SELECT 'keys of days', substring(wrapped FROM 1 FOR 4), count(*) FROM keys.receipt_day GROUP BY 2
UNION ALL
SELECT 'digest secrets', substring(wrapped FROM 1 FOR 4), count(*) FROM keys.digest GROUP BY 2;
