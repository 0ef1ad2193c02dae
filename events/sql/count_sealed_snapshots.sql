-- count_sealed_snapshots: how many snapshots each master key seals: those of streams that have no key of their own.
-- $1 the names of master keys
SELECT substring(body FROM 1 FOR 4) AS name, count(*) AS n FROM events.snapshot s
WHERE substring(body FROM 1 FOR 4) = ANY($1::bytea[])
    AND NOT EXISTS (SELECT FROM keys.subject k WHERE k.stream = s.stream)
GROUP BY 1;
