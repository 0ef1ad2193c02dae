-- resend: make a delivery of a notice to an endpoint again, unordered, whatever the outcome of an earlier one. A
-- pending delivery becomes due at once, unless it waits for an earlier one of its key. A held delivery gets all its
-- attempts again.
CREATE OR REPLACE FUNCTION webhooks.resend(endpoint text, sequence bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM webhooks.lane WHERE endpoint_id = endpoint FOR NO KEY UPDATE;
    INSERT INTO webhooks.delivery AS d (sequence, endpoint_id, appended_at, due_at)
    SELECT n.sequence, $1, n.appended_at, clock_timestamp() FROM projections.notice n WHERE n.sequence = $2
    ON CONFLICT ON CONSTRAINT delivery_pkey DO UPDATE
        SET due_at = CASE WHEN d.due_at = 'infinity' AND NOT d.held THEN d.due_at
                ELSE least(d.due_at, excluded.due_at) END,
            attempts = CASE WHEN d.held THEN 0 ELSE d.attempts END, held = false,
            recovered = d.recovered AND d.key IS NOT NULL;
    PERFORM webhooks.wake(ARRAY[endpoint]);
END $$;
