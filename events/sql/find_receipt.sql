-- find_receipt: the answer given under an idempotency key in the last 24 hours.
-- $1 account, $2 livemode, $3 key
SELECT key, route, fingerprint, request_id, status, body
FROM events.receipt
WHERE account = $1 AND livemode = $2 AND key = $3 AND answered_at > now() - interval '24 hours'
ORDER BY answered_at DESC
LIMIT 1;
