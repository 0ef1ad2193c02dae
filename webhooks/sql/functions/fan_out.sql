-- Fanning out: every notice becomes, once, a delivery for each endpoint that wants it.
--
-- Notices may be heard of in any order, so endpoints that are told in order get theirs in a second step, which goes along
-- the log behind the floor. It is a transaction of its own: each locks lanes in order of id, and so nobody waits in a ring.
--
-- The floor row decides between those who do it. Whoever marks notices holds it shared, whoever moves the floor holds
-- it alone, and both take it before they read anything else. So nobody marks what lies below the floor, where marks
-- are gone, and the floor never passes a notice whose deliveries might still be rolled back.

-- fan_out: fan out those of the notices named that are not yet; for whoever hears of notices in any order. What does
-- not exist is passed over, and what is too much for one transaction is left to catch_up. Gives the number of deliveries
-- made.
CREATE OR REPLACE FUNCTION webhooks.fan_out(sequences bigint[]) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    low webhooks.floor;
    fresh bigint[];
BEGIN
    SELECT * INTO low FROM webhooks.floor FOR SHARE;
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
