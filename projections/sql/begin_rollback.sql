-- begin_rollback: the version before is the next one, and has every event up to where it was swapped out.
-- $1 name, $2 tables, $3 what stands in place of a digest of code
UPDATE projections.rebuild SET state = 'following', position = previous_position, tables = $2, code = $3,
    previous_position = NULL
WHERE name = $1;
