-- blank_resources: give the objects of an erased customer the bodies that are left without its keys.
-- $1 account, $2 livemode, $3 kinds, $4 ids, $5 bodies, $6 facts (JSON): one of each of these for every object
UPDATE projections.resource r SET body = blank.body, facts = blank.facts::jsonb, lookup = NULL
FROM unnest($3::text[], $4::text[], $5::bytea[], $6::text[]) AS blank(kind, id, body, facts)
WHERE r.account = $1 AND r.livemode = $2 AND r.kind = blank.kind AND r.id = blank.id;
