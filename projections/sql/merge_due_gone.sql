-- merge_due_gone: delete the scheduled work of some streams that a rebuild does not have.
-- $1 kinds, $2 ids: one of each for every stream
DELETE FROM projections.due d USING unnest($1::text[], $2::text[]) AS asked(kind, id)
WHERE d.kind = asked.kind AND d.id = asked.id AND NOT EXISTS (
    SELECT FROM projections_next.due n WHERE (n.kind, n.id, n.task, n.subject) = (d.kind, d.id, d.task, d.subject));
