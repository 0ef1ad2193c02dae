-- Fan-out: every notice becomes, exactly once, a delivery for each endpoint that subscribes to its type.
--
-- Notices may arrive in any order, so endpoints with ordered delivery get theirs in a second step, which follows
-- the log below the watermark. It is a transaction of its own: each locks lanes in order of id, which avoids deadlocks.
--
-- The row of webhooks.watermark (everything up to it is fanned out) is the lock. Marking notices takes it
-- shared, advancing the watermark takes it exclusively, and both before reading anything else. So no notice below the
-- watermark is marked, where marks are deleted, and it never passes a notice whose deliveries may be rolled back.

-- fan_out: fan out those of these notices that are not fanned out yet, in any order. Unknown notices are skipped, and what
-- is too much for one transaction is left to catch_up. Returns the number of deliveries made.
CREATE OR REPLACE FUNCTION webhooks.fan_out(sequences bigint[]) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    low webhooks.watermark;
    fresh bigint[];
BEGIN
    SELECT * INTO low FROM webhooks.watermark FOR SHARE;
    IF cardinality(sequences) > 1 THEN
        sequences := webhooks.fair_part(ARRAY(
            SELECT DISTINCT s FROM unnest(sequences) AS s
            WHERE s > low.sequence AND NOT EXISTS (SELECT FROM webhooks.fanned_out m WHERE m.sequence = s)
        ), low.appended_at);
    END IF;
    WITH marked AS (
        INSERT INTO webhooks.fanned_out (sequence)
        SELECT DISTINCT s FROM unnest(sequences) AS s
        WHERE s > low.sequence AND s <= (SELECT sequence FROM projections.notice_head)
        ORDER BY s
        ON CONFLICT DO NOTHING
        RETURNING sequence
    )
    SELECT array_agg(sequence) INTO fresh FROM marked;
    RETURN CASE WHEN fresh IS NULL THEN 0 ELSE webhooks.make_deliveries(fresh, low.appended_at) END;
END $$;
