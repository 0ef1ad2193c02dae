-- share: the key by which accounts share what a worker has; see webhooks/dispatch/shares.py. Both modes of an account are
-- one share, or an account would have two by using both.
CREATE OR REPLACE FUNCTION webhooks.share(account text, livemode boolean) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT account
$$;
