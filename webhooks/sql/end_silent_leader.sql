-- end_silent_leader: end the session that holds the advisory lock when it was not heard of for so long; a row where one
-- was ended. Idle or in the middle of a statement: idle_session_timeout does not count while a statement is unfinished.
-- A session of another login shows its state_change to nobody else, and is left alone.
-- $1 the lock, $2 seconds
SELECT pg_terminate_backend(activity.pid)
FROM pg_locks AS lock
JOIN pg_stat_activity AS activity ON activity.pid = lock.pid
WHERE lock.locktype = 'advisory' AND lock.granted AND lock.classid = 0 AND lock.objid = $1::bigint::oid
    AND lock.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND activity.state_change < clock_timestamp() - make_interval(secs => $2);
