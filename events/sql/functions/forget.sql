-- forget: destroy the keys of streams (crypto-shredding) and delete their snapshots, in the transaction that appends the
-- events which say so. The cache of every process is notified of each stream: see events/forgetting.py.
CREATE OR REPLACE FUNCTION events.forget(streams text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM keys.subject s WHERE s.stream = ANY (streams);
    DELETE FROM events.snapshot s WHERE s.stream = ANY (streams);
    PERFORM pg_notify('rollbook_forget', forgotten) FROM unnest(streams) AS forgotten;
END $$;
