-- set_streams: where streams stand after imported events, each as the arrays have it at the same index.
-- $1 streams, $2 accounts, $3 modes, $4 versions, $5 hashes
INSERT INTO events.stream (stream, account, livemode, version, hash)
SELECT * FROM unnest($1::text[], $2::text[], $3::boolean[], $4::bigint[], $5::bytea[])
ON CONFLICT (stream) DO UPDATE SET version = excluded.version, hash = excluded.hash;
