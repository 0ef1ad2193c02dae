-- next_events: the streams of the events after a position, in commit order.
-- $1 position, $2 how many events at most
SELECT position, account, livemode, stream FROM events.log WHERE position > $1 ORDER BY position LIMIT $2;
