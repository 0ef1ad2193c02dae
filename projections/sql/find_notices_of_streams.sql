-- find_notices_of_streams: the notices of events, in order, with their bodies.
-- $1 positions of the events, $2 their streams
SELECT sequence, appended_at, body FROM projections.notice
WHERE position = ANY ($1::bigint[]) AND stream = ANY ($2::text[])
ORDER BY sequence;
