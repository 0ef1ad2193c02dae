-- move_checkpoint: a projection that follows goes on from where a rebuild of it is.
-- $1 name of the projection, $2 name of the rebuild
UPDATE projections.checkpoint c SET position = r.position FROM projections.rebuild r
WHERE c.name = $1 AND r.name = $2 AND r.position > c.position;
