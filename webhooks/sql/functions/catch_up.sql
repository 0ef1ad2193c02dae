-- catch_up: advance the watermark over the next notices, at most `batch`: those that are marked as fanned out, and
-- those that are not after `delay`, which are fanned out now. Returns the number of notices that the watermark passed,
-- how many of them were fanned out now, how many deliveries were made for those, and whether any endpoint has ordered
-- delivery: see catch_up_in_order.
CREATE OR REPLACE FUNCTION webhooks.catch_up(
    delay interval, batch integer, OUT passed bigint, OUT missed bigint, OUT made integer, OUT in_order boolean
) LANGUAGE plpgsql AS $$
DECLARE
    low webhooks.watermark;
    moment timestamptz;
    high bigint;
    missing bigint[];
BEGIN
    SELECT * INTO low FROM webhooks.watermark FOR UPDATE;
    moment := clock_timestamp();
    SELECT count(*) FILTER (WHERE sequence < young_from),
           max(sequence) FILTER (WHERE sequence < young_from),
           array_agg(sequence) FILTER (WHERE NOT marked AND sequence < young_from)
    INTO passed, high, missing
    FROM (
        SELECT sequence, marked,
               coalesce(min(sequence) FILTER (WHERE NOT marked AND young) OVER (), 9223372036854775807) AS young_from
        FROM (
            SELECT n.sequence, m.sequence IS NOT NULL AS marked,
                   delay > interval '0' AND n.appended_at > moment - delay AS young
            FROM projections.notice n LEFT JOIN webhooks.fanned_out m ON m.sequence = n.sequence
            WHERE n.sequence > low.sequence AND n.appended_at >= low.appended_at
            ORDER BY n.sequence LIMIT batch
        ) AS next
    ) AS judged;

    IF cardinality(missing) > 1 THEN
        -- Limited, because transactions that mark notices wait for this one.
        high := webhooks.reach(missing, high, low.appended_at);
        missing := ARRAY(SELECT m FROM unnest(missing) AS m WHERE m <= high);
        passed := high - low.sequence;
    END IF;
    in_order := EXISTS (SELECT FROM webhooks.interest i WHERE i.ordering <> 'none');
    missed := coalesce(cardinality(missing), 0);
    made := CASE WHEN missed = 0 THEN 0 ELSE webhooks.make_deliveries(missing, low.appended_at) END;
    IF passed > 0 THEN
        IF passed > missed THEN
            DELETE FROM webhooks.fanned_out WHERE sequence <= high;
        END IF;
        SELECT n.appended_at INTO moment
        FROM projections.notice n WHERE n.sequence = high AND n.appended_at >= low.appended_at;
        UPDATE webhooks.watermark w SET sequence = high, appended_at = moment,
            in_order = CASE WHEN catch_up.in_order THEN w.in_order ELSE high END,
            in_order_at = CASE WHEN catch_up.in_order THEN w.in_order_at ELSE moment END;
    END IF;
END $$;
