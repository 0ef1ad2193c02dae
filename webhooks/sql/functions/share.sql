-- share: the key by which an account in one mode shares what a worker has; see webhooks/dispatch/shares.py.
CREATE OR REPLACE FUNCTION webhooks.share(account text, livemode boolean) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT account || CASE WHEN livemode THEN '/live' ELSE '/test' END
$$;
