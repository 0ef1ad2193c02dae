-- reach: the sequence, at most `high`, up to which these notices make about 10,000 deliveries; at least one notice.
CREATE OR REPLACE FUNCTION webhooks.reach(missing bigint[], high bigint, since timestamptz) RETURNS bigint
LANGUAGE sql STABLE AS $$
    SELECT coalesce(min(sequence) - 1, high) FROM (
        SELECT sequence, sum(endpoints) OVER (ORDER BY sequence) - endpoints AS before
        FROM (
            SELECT sequence, max(counted) OVER (PARTITION BY account, livemode) AS endpoints
            FROM (
                SELECT n.sequence, n.account, n.livemode,
                    CASE WHEN row_number() OVER (PARTITION BY n.account, n.livemode) = 1 THEN (
                        SELECT count(*) FROM (
                            SELECT FROM webhooks.interest i
                            WHERE i.account = n.account AND i.livemode = n.livemode LIMIT 10000
                        ) AS i
                    ) END AS counted
                FROM projections.notice n WHERE n.sequence = ANY (missing) AND n.appended_at >= since
            ) AS once_an_account
        ) AS weighed
    ) AS added_up WHERE before >= 10000
$$;
