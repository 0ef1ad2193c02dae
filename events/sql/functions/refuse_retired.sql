-- refuse_retired: fail because of bytes that the retired master key `name` sealed.
-- Fails with SQLSTATE RB001; events/outage.py makes an outage of it, for the process that has such a key in front.
CREATE OR REPLACE FUNCTION events.refuse_retired(name bytea) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the master key % is retired, and this process seals with it: put the new one first in its '
        'ROLLBOOK_MASTER_KEY', encode(name, 'hex') USING ERRCODE = 'RB001';
END $$;
