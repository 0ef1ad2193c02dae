-- get_resources: the stored bodies of many objects at once.
-- $1 accounts, $2 livemodes, $3 kinds, $4 ids, $5 whether deleted ones are shown as they last were: one of each for every
-- object asked for; one that is not there, or is deleted, gives a null body
SELECT r.body
FROM unnest($1::text[], $2::boolean[], $3::text[], $4::text[], $5::boolean[])
    WITH ORDINALITY AS asked(account, livemode, kind, id, ever, n)
LEFT JOIN projections.resource r
    ON r.account = asked.account AND r.livemode = asked.livemode AND r.id = asked.id AND r.kind = asked.kind
   AND (asked.ever OR NOT r.deleted)
ORDER BY n;
