-- find_checkpoint: the newest checkpoint of at most a size.
-- $1 size; null for the newest of all
SELECT size, root, origin, note, signed_at FROM events.checkpoint
WHERE size <= coalesce($1::bigint, 9223372036854775807)
ORDER BY size DESC LIMIT 1;
