-- list_attempts: the attempts of one delivery, in order; only the newest if their excerpts exceed a number of bytes.
-- $1 sequence, $2 endpoint, $3 bytes of excerpts at most
SELECT at, attempt, outcome, status, fault, duration_ms, next_at, excerpt
FROM (
    SELECT a.*, sum(octet_length(a.excerpt)) OVER (ORDER BY a.at DESC, a.attempt DESC) AS bytes
    FROM webhooks.attempt a
    WHERE a.endpoint_id = $2 AND a.sequence = $1 AND a.outcome <> 'canceled'
) AS newest
WHERE bytes <= $3
ORDER BY at, attempt;
