-- commit: append a batch to the log and, in the same transaction, write the read model rows of the accepted items.
--
--   items, drafts, snapshots and both results are those of events.append.
--   row.item   the 1-based index of the row's item; rows of items that are not accepted are ignored
--   row.event  of a resource_row or notice_row: the 0-based index, within its item, of the event that caused it
--   due_row    schedules a task; without a time it unschedules the task. The last of several for one task counts. A row
--              of the task test_clock.follow moves all tasks of its stream to the test clock
--
-- Fails on customer_invoice_prefix or resource_lookup when a unique value is in use, and on resource_parent when an
-- object of one parent is claimed by another.
CREATE OR REPLACE FUNCTION projections.commit(
    items events.item[], drafts events.draft[], customers projections.customer_row[],
    resources projections.resource_row[], notices projections.notice_row[], dues projections.due_row[],
    snapshots events.snapshot_row[] DEFAULT '{}', OUT outcome text[], OUT first_position bigint[]
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    head projections.notice_head;
    written integer;
    noticed integer;
    at timestamptz;
BEGIN
    SELECT a.outcome, a.first_position INTO outcome, first_position FROM events.append(items, drafts, snapshots) AS a;

    IF cardinality(customers) > 0 THEN
        INSERT INTO projections.customer (account, livemode, id, created, position, version, deleted, email,
            invoice_prefix, body, test_clock)
        SELECT account, livemode, id, created, first_position[item], version, deleted, email, invoice_prefix, body,
            test_clock
        FROM unnest(customers) WHERE first_position[item] IS NOT NULL
        ON CONFLICT (account, livemode, id) DO UPDATE
            SET version = excluded.version, deleted = excluded.deleted, email = excluded.email,
                invoice_prefix = excluded.invoice_prefix, body = excluded.body, test_clock = excluded.test_clock;
    END IF;

    IF cardinality(resources) > 0 THEN
        INSERT INTO projections.resource (account, livemode, id, kind, parent, created, position, version, deleted,
            lookup, body, facts)
        SELECT account, livemode, id, kind, parent, created, first_position[item] + event, version, deleted, lookup, body,
            facts
        FROM unnest(resources) WHERE first_position[item] IS NOT NULL
        ON CONFLICT (account, livemode, kind, id) DO UPDATE
            SET parent = excluded.parent, created = excluded.created, version = excluded.version,
                deleted = excluded.deleted, lookup = excluded.lookup, body = excluded.body, facts = excluded.facts,
                position = CASE WHEN projections.resource.deleted AND NOT excluded.deleted -- deleted before, and now created again
                    THEN excluded.position ELSE projections.resource.position END
            WHERE projections.resource.parent IN (excluded.parent, '') OR excluded.parent = '';
        GET DIAGNOSTICS written = ROW_COUNT;
        IF written < (SELECT count(*) FROM unnest(resources) WHERE first_position[item] IS NOT NULL) THEN
            RAISE integrity_constraint_violation USING CONSTRAINT = 'resource_parent';
        END IF;
    END IF;

    IF cardinality(notices) > 0 THEN
        SELECT * INTO head FROM projections.notice_head FOR UPDATE;
        at := greatest(head.appended_at, clock_timestamp());
        IF to_regclass('projections.notice' || to_char(at AT TIME ZONE 'UTC', '_YYYYMMDD')) IS NULL THEN
            PERFORM events.make_day('projections.notice', (at AT TIME ZONE 'UTC')::date);
        END IF;
        INSERT INTO projections.notice (sequence, appended_at, id, account, livemode, type, created, position, stream,
            version, object_id, body, traceparent)
        SELECT head.sequence + row_number() OVER (), at, id, account, livemode, type, created,
            first_position[item] + event, stream, version, object_id, body, traceparent
        FROM unnest(notices) WHERE first_position[item] IS NOT NULL;
        GET DIAGNOSTICS noticed = ROW_COUNT;
        UPDATE projections.notice_head SET sequence = sequence + noticed, appended_at = at;
    END IF;

    IF cardinality(dues) > 0 THEN
        WITH latest AS (
            SELECT DISTINCT ON (kind, id, task, subject) *
            FROM unnest(dues) WITH ORDINALITY WHERE outcome[item] = 'accepted'
            ORDER BY kind, id, task, subject, ordinality DESC
        ), done AS (
            DELETE FROM projections.due d USING latest l
            WHERE l.due_at IS NULL AND (d.kind, d.id, d.task, d.subject) = (l.kind, l.id, l.task, l.subject)
        )
        INSERT INTO projections.due (kind, id, task, subject, account, livemode, due_at, test_clock, try_at)
        SELECT kind, id, task, subject, account, livemode, due_at, test_clock,
            projections.try_at(account, livemode, test_clock, due_at)
        FROM latest WHERE due_at IS NOT NULL
        ON CONFLICT (kind, id, task, subject) DO UPDATE
            SET due_at = excluded.due_at, test_clock = excluded.test_clock, tries = 0, try_at = excluded.try_at;
        UPDATE projections.due d
        SET test_clock = f.test_clock, try_at = projections.try_at(d.account, d.livemode, f.test_clock, d.due_at)
        FROM unnest(dues) f
        WHERE f.task = 'test_clock.follow' AND outcome[f.item] = 'accepted'
          AND d.kind = f.kind AND d.id = f.id AND d.test_clock IS NULL;
        PERFORM pg_notify('rollbook_due', '');
    END IF;
END $$;
