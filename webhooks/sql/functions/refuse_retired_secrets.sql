-- refuse_retired_secrets: no endpoint gets a signing secret that a retired master key sealed; see events.refuse_retired.
CREATE OR REPLACE FUNCTION webhooks.refuse_retired_secrets() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM events.refuse_retired(m.name) FROM keys.master m
    WHERE m.retired_at IS NOT NULL AND m.name IN (SELECT substring(each FROM 1 FOR 4) FROM unnest(new.secrets) AS each);
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER secrets_of_no_retired_key AFTER INSERT OR UPDATE OF secrets ON webhooks.endpoint
    FOR EACH ROW EXECUTE FUNCTION webhooks.refuse_retired_secrets();
