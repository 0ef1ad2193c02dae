-- cut_streams: the streams that end each share of all streams between two names, in order of name.
-- $1 shares, each above 0 and below 1; $2 and $3 the names, exclusive
SELECT percentile_disc($1::double precision[]) WITHIN GROUP (ORDER BY stream)
FROM events.stream WHERE stream > $2 AND stream < $3;
