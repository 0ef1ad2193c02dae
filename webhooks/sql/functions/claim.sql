-- claim: lock ready lanes, those ready for the longest time first: none of an account whose share is full, and only
-- responsive ones of an account that is crowded.
CREATE OR REPLACE FUNCTION webhooks.claim(
    moment timestamptz, claims integer, mine text[], responsive boolean, full_shares text[], crowded_shares text[]
) RETURNS text[] LANGUAGE sql AS $$
    SELECT coalesce(array_agg(endpoint_id), '{}') FROM (
        SELECT l.endpoint_id FROM webhooks.lane l
        WHERE l.ready_at <= moment AND l.leased_until <= moment AND l.endpoint_id <> ALL (mine)
          AND (NOT responsive OR l.window_attempts > 0 AND l.unreachable_in_a_row = 0)
          AND NOT EXISTS (
            SELECT FROM webhooks.endpoint e
            WHERE e.id = l.endpoint_id AND (
                webhooks.share(e.account, e.livemode) = ANY (full_shares)
                OR webhooks.share(e.account, e.livemode) = ANY (crowded_shares)
                    AND NOT (l.window_attempts > 0 AND l.unreachable_in_a_row = 0)
            )
          )
        ORDER BY l.ready_at LIMIT claims FOR NO KEY UPDATE OF l SKIP LOCKED
    ) AS locked
$$;
