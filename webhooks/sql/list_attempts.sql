-- list_attempts: every attempt at one delivery, in order.
-- $1 sequence, $2 endpoint
SELECT at, attempt, outcome, status, fault, duration_ms, next_at, excerpt
FROM webhooks.attempt
WHERE endpoint_id = $2 AND sequence = $1 AND outcome <> 'canceled'
ORDER BY at, attempt;
