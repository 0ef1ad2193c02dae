-- read_sealed_snapshots: the next snapshots of streams that have no key of their own, in order of stream and code.
-- $1, $2 the stream and the code that were read last, or empty, $3 the names of master keys, $4 how many
SELECT stream, code, version, body FROM events.snapshot s
WHERE (stream, code) > ($1, $2) AND substring(body FROM 1 FOR 4) = ANY($3::bytea[])
    AND NOT EXISTS (SELECT FROM keys.subject k WHERE k.stream = s.stream)
ORDER BY stream, code LIMIT $4;
