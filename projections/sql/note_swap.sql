-- note_swap: note that the tables of a rebuild are being swapped; both versions have every event up to its position.
-- $1 name
UPDATE projections.rebuild SET state = 'merging', previous_position = position, swapped_at = now() WHERE name = $1;
