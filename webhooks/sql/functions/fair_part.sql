-- fair_part: the part of these notices that is fanned out in one transaction: round robin by account until there are
-- about 10,000 deliveries; at least one notice. The others follow in later parts. So many notices of one account (in
-- both modes), or a notice to many endpoints, delay those of another account by one part at most.
CREATE OR REPLACE FUNCTION webhooks.fair_part(sequences bigint[], since timestamptz) RETURNS bigint[]
LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(sequence), '{}') FROM (
        SELECT sequence, sum(endpoints) OVER (ORDER BY turn, endpoints, sequence) - endpoints AS before
        FROM (
            SELECT sequence, turn, max(counted) OVER (PARTITION BY account, livemode) AS endpoints
            FROM (
                SELECT n.sequence, n.account, n.livemode, row_number() OVER (PARTITION BY n.account ORDER BY n.sequence) AS turn,
                    CASE WHEN row_number() OVER by_mode = 1 THEN (
                        SELECT count(*) FROM (
                            SELECT FROM webhooks.interest i
                            WHERE i.account = n.account AND i.livemode = n.livemode LIMIT 10000
                        ) AS i
                    ) END AS counted
                FROM projections.notice n WHERE n.sequence = ANY (sequences) AND n.appended_at >= since
                WINDOW by_mode AS (PARTITION BY n.account, n.livemode ORDER BY n.sequence)
            ) AS once_an_account_and_mode
        ) AS weighed
    ) AS added_up WHERE before < 10000
$$;
