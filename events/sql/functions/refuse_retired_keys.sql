-- refuse_retired_keys: no key of a subject or of a day of receipts is stored that a retired master key sealed; see
-- refuse_retired. Sealed bytes begin with the name of their key. Mostly no key is retired, and then the new rows are not
-- looked at.
CREATE OR REPLACE FUNCTION events.refuse_retired_keys() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    retired bytea;
BEGIN
    FOR retired IN SELECT name FROM keys.master WHERE retired_at IS NOT NULL LOOP
        IF EXISTS (SELECT FROM added WHERE substring(wrapped FROM 1 FOR 4) = retired) THEN
            PERFORM events.refuse_retired(retired);
        END IF;
    END LOOP;
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER subject_of_no_retired_key AFTER INSERT ON keys.subject
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION events.refuse_retired_keys();
CREATE OR REPLACE TRIGGER receipt_day_of_no_retired_key AFTER INSERT ON keys.receipt_day
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION events.refuse_retired_keys();
