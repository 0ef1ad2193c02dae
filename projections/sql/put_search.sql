-- put_search: write the search rows of customers.
-- $1 to $9: accounts, livemodes, ids, times of creation, positions, emails, names, phones and metadata (JSON), one of each
-- for every customer; $10 their terms, each as the text of an array
INSERT INTO projections.search (account, livemode, id, created, position, email, name, phone, metadata, terms)
SELECT account, livemode, id, created, position, email, name, phone, metadata::jsonb, terms::bigint[]
FROM unnest($1::text[], $2::boolean[], $3::text[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::text[],
    $9::text[], $10::text[]) AS t(account, livemode, id, created, position, email, name, phone, metadata, terms)
ON CONFLICT (account, livemode, id) DO UPDATE
    SET email = excluded.email, name = excluded.name, phone = excluded.phone, metadata = excluded.metadata,
        terms = excluded.terms;
