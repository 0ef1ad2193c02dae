-- put_due: schedule work, unless it is scheduled so.
-- $1 account, $2 livemode, $3 kind, $4 id, $5 task, $6 subject, $7 due at, $8 test clock
INSERT INTO projections.due (account, livemode, kind, id, task, subject, due_at, test_clock, try_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, projections.try_at($1, $2, $8, $7))
ON CONFLICT (kind, id, task, subject) DO UPDATE
    SET due_at = excluded.due_at, test_clock = excluded.test_clock, tries = 0, try_at = excluded.try_at
    WHERE (due.due_at, due.test_clock) IS DISTINCT FROM (excluded.due_at, excluded.test_clock);
