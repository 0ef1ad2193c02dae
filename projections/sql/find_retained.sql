-- find_retained: of the next customers in order of their keys, those that were deleted before a time and are not erased;
-- and in any case the last that was looked at, from which to go on.
-- $1 time, $2 account, $3 livemode, $4 id: those after it, $5 how many to look at
WITH slice AS MATERIALIZED (
    SELECT account, livemode, id, deleted FROM projections.customer
    WHERE (account, livemode, id) > ($2, $3, $4) ORDER BY account, livemode, id LIMIT $5
), judged AS (
    SELECT account, livemode, id, deleted
        AND EXISTS (SELECT FROM keys.subject k WHERE k.stream = 'customer-' || s.id)
        AND coalesce((SELECT l.recorded_at < $1 FROM events.log l
            WHERE l.stream = 'customer-' || s.id AND l.type = 'customer.deleted' LIMIT 1), false) AS over,
        row_number() OVER (ORDER BY account DESC, livemode DESC, id DESC) = 1 AS last
    FROM slice s
)
SELECT account, livemode, id, over FROM judged WHERE over OR last ORDER BY account, livemode, id;
