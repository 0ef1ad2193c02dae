-- pending: the number of endpoints that still have to receive a notice; before its fan-out, the number of subscribed
-- endpoints.
CREATE OR REPLACE FUNCTION webhooks.pending(sequence bigint, account text, livemode boolean, type text) RETURNS bigint
LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN $1 <= (SELECT w.in_order FROM webhooks.watermark w)
            OR (SELECT true FROM webhooks.fanned_out f WHERE f.sequence = $1) THEN (
            SELECT count(*) FROM webhooks.delivery d JOIN webhooks.endpoint e ON e.id = d.endpoint_id
            WHERE d.sequence = $1 AND e.status <> 'deleted')
        WHEN $4 = 'rollbook.endpoint.test' THEN 1
        ELSE (
            SELECT count(*) FROM webhooks.interest i
            WHERE i.account = $2 AND i.livemode = $3 AND i.above < $1 AND (i.upto IS NULL OR $1 <= i.upto)
              AND i.enabled_events && ARRAY['*', $4])
    END
$$;
