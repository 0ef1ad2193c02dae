-- catch_up_in_order: make the deliveries to endpoints with ordered delivery, for at most `batch` notices below the
-- watermark. Returns the numbers of notices and of deliveries.
CREATE OR REPLACE FUNCTION webhooks.catch_up_in_order(batch integer, OUT passed bigint, OUT made integer)
LANGUAGE plpgsql AS $$
DECLARE
    low webhooks.watermark;
BEGIN
    SELECT * INTO low FROM webhooks.watermark FOR UPDATE;
    passed := least(low.sequence - low.in_order, batch);
    made := 0;
    IF passed > 0 THEN
        made := webhooks.make_in_order(low.in_order, low.in_order + passed, low.in_order_at);
        UPDATE webhooks.watermark SET in_order = low.in_order + passed, in_order_at = (
            SELECT n.appended_at FROM projections.notice n
            WHERE n.sequence = low.in_order + passed AND n.appended_at >= low.in_order_at
        );
    END IF;
END $$;
