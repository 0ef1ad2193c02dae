-- Customers are found whichever way their letters are composed: what they are found by is made again, from the beginning of
-- the log, while searches go on. Processes of the version before are left nothing to follow, else they would go on writing
-- rows of the old kind.
INSERT INTO projections.checkpoint (name) VALUES ('search.2');
UPDATE projections.checkpoint SET position = 9223372036854775807 WHERE name = 'search';
