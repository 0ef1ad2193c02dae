-- share: the key of an account's share of a worker; see webhooks/dispatch/shares.py. It is the same for test and live
-- mode, or an account would have two shares by using both.
CREATE OR REPLACE FUNCTION webhooks.share(account text, livemode boolean) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT account
$$;
