-- What receivers answered to the events of an erased customer is emptied.
-- compatible from: webhooks/migrations/0012_set_aside.sql
GRANT UPDATE (excerpt) ON webhooks.attempt TO rollbook_service;
