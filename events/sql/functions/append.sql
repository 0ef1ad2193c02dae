-- append: store a batch of items (group commit). Each group of items with one leader is atomic, independent of others.
--
-- An item is the next events of one stream, with the rows that commit with them. A draft is an event; its `item` is the
-- 1-based index of its item. A batch has at most one item for each stream and for each idempotency key.
--
--   item.expected     the version that the stream must have (optimistic concurrency); 0 if it must not exist
--   item.events       the number of its drafts. An item with none stores only its receipt, and checks `expected` if > 0
--   item.hash         the hash of the chain after the item's last event
--   item.subject_key  the wrapped encryption key of a new stream, else null
--   item.key          the idempotency key under which the receipt (route .. body) is stored; null for none
--   item.leader       the 1-based index of the leader of its group: its own index for an item alone
--
-- A snapshot names its item by index too, and is stored if the item is accepted. One snapshot is kept for each stream
-- and folding code; one of other code is deleted after a day, as processes of two releases may write by turns.
--
-- Gives for each item:
--   outcome         `accepted`, `answered` (the idempotency key has a receipt) or `stale` (the stream has another
--                   version); if one item of a group fails, the whole group has its outcome
--   first_position  the position of its first event; null unless it was accepted with events
--
-- The head row is locked before anything is read. So appends are serialized: every check sees all that was committed,
-- and positions are gapless and in commit order.
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

    -- Scalar subqueries instead of EXISTS, for which the planner may hash the whole table.
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
