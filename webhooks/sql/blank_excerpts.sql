-- blank_excerpts: empty what receivers answered to notices of an account and mode.
-- $1 account, $2 livemode, $3 sequences of the notices
UPDATE webhooks.attempt a SET excerpt = ''
FROM projections.resource e
WHERE e.account = $1 AND e.livemode = $2 AND e.kind = 'webhook_endpoint' -- those that were deleted, too
  AND a.endpoint_id = e.id AND a.sequence = ANY ($3::bigint[]) AND a.excerpt <> '';
