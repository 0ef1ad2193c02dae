-- postpone_due: work is tried again at another time; unless it was scheduled again, or leased by another, meanwhile.
-- $1 kind, $2 id, $3 task, $4 subject, $5 tries when it was taken, $6 when it is tried again, $7 tries it has now
UPDATE projections.due SET try_at = $6, tries = $7
WHERE kind = $1 AND id = $2 AND task = $3 AND subject = $4 AND tries = $5
RETURNING 1;
