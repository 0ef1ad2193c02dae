-- refuse_retired: fail because of bytes that the retired master key `name` sealed.
-- Fails with SQLSTATE RB001; events/outage.py makes an outage of it, for the process that has such a key in front.
CREATE OR REPLACE FUNCTION events.refuse_retired(name bytea) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the master key % is retired, and this process seals with it: put the new one first in its '
        'ROLLBOOK_MASTER_KEY', encode(name, 'hex') USING ERRCODE = 'RB001';
END $$;

-- Sealed bytes begin with the name of their key. Mostly no key is retired, and then the new rows are not looked at.
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
