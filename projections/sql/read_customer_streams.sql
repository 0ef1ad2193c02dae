-- read_customer_streams: every event of every customer, stream by stream, in order, with the keys that unseal them.
SELECT l.*, k.wrapped
FROM events.log l LEFT JOIN keys.subject k USING (stream)
WHERE l.stream >= 'customer-' AND l.stream < 'customer.'
ORDER BY l.stream, l.version;
