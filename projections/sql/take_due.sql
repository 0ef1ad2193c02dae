-- take_due: lease jobs that are due, the longest due first.
-- $1 now and $2 when the lease ends, in Unix seconds, $3 how many pieces at most
-- Jobs locked by others are skipped.
UPDATE projections.due d SET try_at = $2, tries = d.tries + 1
FROM (
    SELECT kind, id, task, subject FROM projections.due WHERE try_at <= $1 ORDER BY try_at LIMIT $3
    FOR UPDATE SKIP LOCKED
) t
WHERE d.kind = t.kind AND d.id = t.id AND d.task = t.task AND d.subject = t.subject
RETURNING d.account, d.livemode, d.kind, d.id, d.task, d.subject, d.due_at, d.test_clock, d.tries;
