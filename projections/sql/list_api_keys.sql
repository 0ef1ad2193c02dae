-- list_api_keys: every API key of every account, revoked ones too, oldest first: for the command line alone.
SELECT body FROM projections.resource WHERE kind = 'api_key' ORDER BY position;
