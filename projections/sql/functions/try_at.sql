-- try_at: when a new piece of work is first tried, in Unix seconds of the machine. Under a test clock that is at once
-- where the clock is there already, and else not before the clock is told to move on: never, by the machine's time.
CREATE OR REPLACE FUNCTION projections.try_at(account text, livemode boolean, test_clock text, due_at bigint)
RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN test_clock IS NULL THEN due_at ELSE coalesce((
        SELECT 0 FROM projections.resource c
        WHERE c.account = try_at.account AND c.livemode = try_at.livemode AND c.kind = 'test_helpers.test_clock'
          AND c.id = try_at.test_clock AND (c.facts ->> 'frozen_time')::bigint >= try_at.due_at
    ), 9223372036854775807) END
$$;
