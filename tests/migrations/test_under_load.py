"""Processes of the release before write, fan out and read on while a migration runs: nothing fails, nothing is lost."""

from pathlib import Path

import asyncpg

from events import chain
from events.migrate import migrate
from service import suitability
from service.commands import keys
from tests.migrations.old_process import OldProcess
from tests.migrations.restore import restore
from tests.service.serving import serving, settings_for

WAIT_S_MAX = 5.0  # for an answer of the database; less than one on a machine that does nothing else
ROUNDS = 10
WHOLE = """
SELECT (SELECT array_agg(position ORDER BY position) FROM events.log)
     = (SELECT array_agg(n) FROM generate_series(1, (SELECT position FROM events.head)) AS n) AS positions,
    (SELECT array_agg(sequence ORDER BY sequence) FROM projections.notice)
     = (SELECT array_agg(n) FROM generate_series(1, (SELECT sequence FROM projections.notice_head)) AS n) AS sequences,
    (SELECT sequence FROM webhooks.watermark) = (SELECT sequence FROM projections.notice_head) AS fanned_out
"""
NOT_DELIVERED = """
SELECT n.id FROM projections.notice n WHERE n.stream = ANY ($1)
    AND NOT EXISTS (SELECT FROM webhooks.delivery d WHERE d.sequence = n.sequence)
"""


async def test_a_process_of_the_release_before_goes_on_while_the_database_is_migrated(
    empty_database: str, tmp_path: Path
) -> None:
    await restore(empty_database, "fe51aa8")
    old = OldProcess(empty_database, "fe51aa8")
    async with old.running():
        await old.go_on(ROUNDS)
        before = len(old.written)
        assert await migrate(empty_database) != []
        await old.go_on(ROUNDS)
    assert len(old.written) > before
    assert old.waited_s_max < WAIT_S_MAX
    owner = await asyncpg.connect(empty_database)
    assert dict(await owner.fetchrow(WHOLE)) == {"positions": True, "sequences": True, "fanned_out": True}
    streams = [f"customer-{id}" for id in old.written]
    assert await owner.fetch(NOT_DELIVERED, streams) == []
    await owner.close()
    async with serving(settings_for(tmp_path), empty_database) as api:
        await suitability.prepare(api.core)
        api.key = keys.DEVELOPMENT_KEY
        for stream in streams:
            assert chain.first_break((await api.core.log.load(stream)).records) is None
        for id in (next(iter(old.written)), list(old.written)[-1]):
            customer = await api.update(id, "description=migrated")
            assert (customer["name"], customer["email"]) == (old.written[id], f"{id}@example.com")
