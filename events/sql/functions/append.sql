-- append: store a batch of items, each of them whole or not at all, whatever becomes of the others.
--
-- An item is one stream's next events with what must commit beside them; a draft is an event and names its item by its
-- 1-based place. The caller sends at most one item per stream and per idempotency key in a batch.
--
--   item.expected     the version the stream must have; 0 for a stream that must not exist
--   item.events       how many drafts the item has; one of none leaves its receipt, and holds the stream to a version > 0
--   item.hash         the chain's hash after the item's last event
--   item.subject_key  the wrapped key of a stream being born, else null
--   item.key          the idempotency key under which the answer (route .. body) is kept; null for none
--   item.leader       the 1-based place of the item it stands or falls with; its own when it stands alone
--
-- A snapshot names its item too and is kept when that is accepted. One a stream and code is kept, and those of other
-- code for a day, while processes of two releases may write by turns.
--
-- Gives an outcome an item: `accepted`, `answered` (the key has a receipt), `stale` (expected another version), the
-- worst of those that stand or fall together; and the position of its first event, null unless accepted with events.
--
-- The head row is locked before anything is read: so no other append runs meanwhile, every check here sees all that
-- was committed, and positions come out gapless, in commit order.
CREATE OR REPLACE FUNCTION events.append(
    items events.item[], drafts events.draft[], snapshots events.snapshot_row[] DEFAULT '{}',
    OUT outcome text[], OUT first_position bigint[]
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    head events.head;
    accepted boolean[];
    appended integer;
    answered timestamptz := clock_timestamp();
BEGIN
    SELECT * INTO head FROM events.head FOR UPDATE;

    -- Scalar subqueries, not EXISTS: the planner may answer an EXISTS by hashing the whole table.
    SELECT array_agg(verdict ORDER BY n), array_agg(verdict = 'accepted' ORDER BY n),
           coalesce(sum(events) FILTER (WHERE verdict = 'accepted'), 0)
    INTO outcome, accepted, appended
    FROM (
        SELECT n, events,
            CASE
                WHEN bool_or(answered_before) OVER together THEN 'answered'
                WHEN bool_or(stale) OVER together THEN 'stale'
                ELSE 'accepted'
            END AS verdict
        FROM (
            SELECT i.ordinality AS n, i.events, i.leader,
                i.key IS NOT NULL AND coalesce((
                    SELECT true FROM events.receipt r
                    WHERE r.account = i.account AND r.livemode = i.livemode AND r.key = i.key
                      AND r.answered_at > answered - interval '24 hours' LIMIT 1), false) AS answered_before,
                (i.events > 0 OR i.expected > 0) AND i.expected <> coalesce(
                    (SELECT s.version FROM events.stream s WHERE s.stream = i.stream), 0) AS stale
            FROM unnest(items) WITH ORDINALITY AS i
        ) AS judged
        WINDOW together AS (PARTITION BY leader)
    ) AS settled;

    IF appended > 0 THEN
        IF head.position + appended >= head.partition_end THEN
            PERFORM events.extend_log(head.position + appended);
        END IF;

        INSERT INTO events.log (position, stream, version, account, livemode, type, schema_version, payload, hash,
            recorded_at, actor, request_id, idempotency_key, correlation_id, causation_id)
        SELECT head.position + row_number() OVER (), stream, version, account, livemode, type, schema_version, payload,
            hash, recorded_at, actor, request_id, idempotency_key, correlation_id, causation_id
        FROM unnest(drafts) WHERE accepted[item];

        INSERT INTO events.stream (stream, account, livemode, version, hash)
        SELECT i.stream, i.account, i.livemode, i.expected + i.events, i.hash
        FROM unnest(items) WITH ORDINALITY AS i
        WHERE accepted[ordinality] AND i.events > 0
        ON CONFLICT (stream) DO UPDATE SET version = excluded.version, hash = excluded.hash;

        INSERT INTO keys.subject (stream, wrapped)
        SELECT i.stream, i.subject_key
        FROM unnest(items) WITH ORDINALITY AS i
        WHERE accepted[ordinality] AND i.subject_key IS NOT NULL;

        IF cardinality(snapshots) > 0 THEN
            INSERT INTO events.snapshot (stream, code, version, kept_at, body)
            SELECT stream, code, version, answered, body FROM unnest(snapshots) WHERE accepted[item]
            ON CONFLICT (stream, code) DO UPDATE
                SET version = excluded.version, kept_at = excluded.kept_at, body = excluded.body;
            DELETE FROM events.snapshot s USING unnest(snapshots) AS kept
            WHERE accepted[kept.item] AND s.stream = kept.stream AND s.kept_at < answered - interval '1 day';
        END IF;

        UPDATE events.head SET position = position + appended;
        PERFORM pg_notify('rollbook_log', (head.position + appended)::text);
    END IF;

    IF to_regclass('events.receipt' || to_char(answered AT TIME ZONE 'UTC', '_YYYYMMDD')) IS NULL THEN
        PERFORM events.make_day('events.receipt', (answered AT TIME ZONE 'UTC')::date);
    END IF;
    INSERT INTO events.receipt (account, livemode, key, answered_at, route, fingerprint, request_id, status, body)
    SELECT i.account, i.livemode, i.key, answered, i.route, i.fingerprint, i.request_id, i.status, i.body
    FROM unnest(items) WITH ORDINALITY AS i
    WHERE accepted[ordinality] AND i.key IS NOT NULL;

    SELECT array_agg(CASE WHEN accepted[n] AND events > 0 THEN head.position + before + 1 END ORDER BY n)
    INTO first_position
    FROM (
        SELECT ordinality AS n, events, coalesce(sum(events) FILTER (WHERE accepted[ordinality])
            OVER (ORDER BY ordinality ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before
        FROM unnest(items) WITH ORDINALITY AS i
    ) AS placed;
END $$;
