-- list_erasures: every erasure of a customer, of every account, oldest first: for the command line alone.
SELECT body FROM projections.resource WHERE kind = 'erasure' ORDER BY created, id;
