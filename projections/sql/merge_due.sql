-- merge_due: schedule the work of some streams as a rebuild has it, where it is not scheduled so.
-- $1 kinds, $2 ids: one of each for every stream
INSERT INTO projections.due (kind, id, task, subject, account, livemode, due_at, test_clock, try_at)
SELECT n.kind, n.id, n.task, n.subject, n.account, n.livemode, n.due_at, n.test_clock,
    projections.try_at(n.account, n.livemode, n.test_clock, n.due_at)
FROM projections_next.due n JOIN unnest($1::text[], $2::text[]) AS asked(kind, id) USING (kind, id)
ON CONFLICT (kind, id, task, subject) DO UPDATE
    SET due_at = excluded.due_at, test_clock = excluded.test_clock, tries = 0, try_at = excluded.try_at
    WHERE (due.due_at, due.test_clock) IS DISTINCT FROM (excluded.due_at, excluded.test_clock);
