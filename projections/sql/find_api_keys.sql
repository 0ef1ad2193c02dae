-- find_api_keys: the principals of many API keys.
-- $1 SHA-256 of the keys, hex: one row for each; nulls for a key that was never issued, or is revoked
-- Rows that a process of the release before wrote have the two fields as power and rights.
SELECT r.id, r.account, r.livemode, coalesce(r.facts ->> 'key_type', r.facts ->> 'power') AS key_type,
    coalesce(r.facts -> 'permissions', r.facts -> 'rights') AS permissions
FROM unnest($1::text[]) WITH ORDINALITY AS asked(lookup, n)
LEFT JOIN projections.resource r ON r.kind = 'api_key' AND r.lookup = asked.lookup AND NOT r.deleted
ORDER BY n;
