-- find_api_key: whom a key acts for.
-- $1 SHA-256 of the key, hex
SELECT id, account, livemode, facts
FROM projections.resource
WHERE kind = 'api_key' AND lookup = $1 AND NOT deleted;
