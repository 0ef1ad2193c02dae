-- differing_due: the streams whose scheduled work is not what a rebuild says it is.
SELECT DISTINCT kind, id
FROM projections.due d FULL JOIN projections_next.due n USING (kind, id, task, subject)
WHERE (d.due_at, d.test_clock) IS DISTINCT FROM (n.due_at, n.test_clock)
ORDER BY kind, id;
