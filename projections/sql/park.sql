-- park: set a stream aside that a projection cannot take in, or count another try of it.
-- $1 projection, $2 stream, $3 account, $4 livemode, $5 error
INSERT INTO projections.parked (projection, stream, account, livemode, error) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (projection, stream) DO UPDATE SET error = excluded.error, tries = projections.parked.tries + 1;
