-- Lanes whose stored data our own code cannot work with are set aside, with the reason.

ALTER TABLE webhooks.lane ADD COLUMN set_aside text COLLATE "C";
