-- next_events: which streams the events after a position are of, in commit order.
-- $1 position, $2 how many events at most
SELECT position, account, livemode, stream FROM events.log WHERE position > $1 ORDER BY position LIMIT $2;
