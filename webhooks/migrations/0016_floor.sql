-- The watermark under its name of the release before has every column and may be locked: calls of that release's
-- functions that waited for the migration go on with the view.
-- compatible from: webhooks/migrations/0012_set_aside.sql
DROP VIEW webhooks.floor;
CREATE VIEW webhooks.floor AS SELECT singleton, sequence, appended_at, in_order, in_order_at FROM webhooks.watermark;
GRANT SELECT, UPDATE ON webhooks.floor TO rollbook_service;
