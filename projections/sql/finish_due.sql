-- finish_due: delete work that is done; unless it was scheduled again, or leased by another, meanwhile.
-- $1 kind, $2 id, $3 task, $4 subject, $5 tries and $6 time it was due when it was taken
DELETE FROM projections.due
WHERE kind = $1 AND id = $2 AND task = $3 AND subject = $4 AND tries = $5 AND due_at = $6;
