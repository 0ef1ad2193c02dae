-- Notices are found by the events of an erased customer, and redacted: by the position of their event, which grows along
-- the table, so that an index of its ranges will do.
-- compatible from: projections/migrations/0005_search_spellings.sql
CREATE INDEX notice_position ON projections.notice USING brin (position) WITH (autosummarize = on);
GRANT UPDATE (body) ON projections.notice TO rollbook_service;
