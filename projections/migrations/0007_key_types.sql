-- Rows of API keys have the names of the public API, as their events do from now on: key_type and permissions. The facts
-- keep power and rights beside them, by which processes of the release before know a key.
-- compatible from: projections/migrations/0005_search_spellings.sql
UPDATE projections.resource AS r
SET facts = r.facts || jsonb_build_object('key_type', r.facts -> 'power', 'permissions', r.facts -> 'rights'),
    body = convert_to(
        format(
            '{"id":%s,"object":%s,"account":%s,"created":%s,"key":%s,"key_type":%s,"livemode":%s,"name":%s,'
            '"permissions":%s,"revoked":%s}',
            b.j -> 'id', b.j -> 'object', b.j -> 'account', b.j -> 'created', b.j -> 'key', b.j -> 'power',
            b.j -> 'livemode', b.j -> 'name', b.j -> 'rights', b.j -> 'revoked'
        ),
        'UTF8'
    )
FROM (
    SELECT account, livemode, kind, id, convert_from(body, 'UTF8')::json AS j
    FROM projections.resource WHERE kind = 'api_key'
) AS b
WHERE (r.account, r.livemode, r.kind, r.id) = (b.account, b.livemode, b.kind, b.id) AND r.facts ? 'power'
    AND NOT r.facts ? 'key_type';
