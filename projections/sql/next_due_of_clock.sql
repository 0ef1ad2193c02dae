-- next_due_of_clock: the earliest job under a test clock.
-- $1 account, $2 livemode, $3 test clock, $4 up to when, by the clock, $5 now, by the machine, in Unix seconds
-- Jobs that failed and wait for a retry are skipped.
SELECT account, livemode, kind, id, task, subject, due_at, test_clock, tries
FROM projections.due
WHERE test_clock = $3 AND due_at <= $4 AND account = $1 AND livemode = $2 AND (tries = 0 OR try_at <= $5)
ORDER BY due_at
LIMIT 1;
