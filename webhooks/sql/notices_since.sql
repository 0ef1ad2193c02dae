-- notices_since: the accounts with notices after a position, and the types: the last notice of each account, mode and
-- type.
-- $1 the position, $2 a time that none after it is earlier than, which spares the partitions of earlier days
SELECT account, livemode, type, max(sequence) AS sequence, max(appended_at) AS appended_at
FROM projections.notice
WHERE sequence > $1 AND appended_at >= $2
GROUP BY account, livemode, type;
