-- end_silent_leader: terminate the session that holds the relay's advisory lock if it has been silent for so long;
-- returns a row if one was terminated. It may be idle or in the middle of a statement: idle_session_timeout does not
-- apply to an unfinished statement. The state_change of a session of another role is not visible, and the session is
-- left alone.
-- $1 the lock, $2 seconds
SELECT pg_terminate_backend(activity.pid)
FROM pg_locks AS lock
JOIN pg_stat_activity AS activity ON activity.pid = lock.pid
WHERE lock.locktype = 'advisory' AND lock.granted AND lock.classid = 0 AND lock.objid = $1::bigint::oid
    AND lock.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND activity.state_change < clock_timestamp() - make_interval(secs => $2);
