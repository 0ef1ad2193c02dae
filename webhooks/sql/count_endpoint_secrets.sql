-- count_endpoint_secrets: how many signing secrets each master key seals, in the read model and with the worker's rows.
SELECT substring(decode(secret, 'base64') FROM 1 FOR 4) AS name, count(*) AS n
FROM projections.resource r, jsonb_array_elements_text(r.facts -> 'secrets') AS secret
WHERE r.kind = 'webhook_endpoint'
GROUP BY 1
UNION ALL
SELECT substring(secret FROM 1 FOR 4), count(*) FROM webhooks.endpoint e, unnest(e.secrets) AS secret
WHERE NOT EXISTS (
    SELECT FROM projections.resource r, jsonb_array_elements_text(r.facts -> 'secrets') AS shown
    WHERE r.account = e.account AND r.livemode = e.livemode AND r.kind = 'webhook_endpoint' AND r.id = e.id
        AND decode(shown, 'base64') = secret)
GROUP BY 1;
