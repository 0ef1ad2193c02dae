-- try_at: when the scheduler first tries a new piece of work, in Unix seconds of real time. Under a test clock: at once
-- (0) if the clock has reached `due_at`, otherwise never (the greatest bigint) until the clock is advanced.
CREATE OR REPLACE FUNCTION projections.try_at(account text, livemode boolean, test_clock text, due_at bigint)
RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN test_clock IS NULL THEN due_at ELSE coalesce((
        SELECT 0 FROM projections.resource c
        WHERE c.account = try_at.account AND c.livemode = try_at.livemode AND c.kind = 'test_helpers.test_clock'
          AND c.id = try_at.test_clock AND (c.facts ->> 'frozen_time')::bigint >= try_at.due_at
    ), 9223372036854775807) END
$$;
