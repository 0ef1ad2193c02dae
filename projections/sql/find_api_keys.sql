-- find_api_keys: whom each of many keys acts for.
-- $1 SHA-256 of the keys, hex: one row for each; nulls for a key that was never issued, or is revoked
SELECT r.id, r.account, r.livemode, r.facts
FROM unnest($1::text[]) WITH ORDINALITY AS asked(lookup, n)
LEFT JOIN projections.resource r ON r.kind = 'api_key' AND r.lookup = asked.lookup AND NOT r.deleted
ORDER BY n;
