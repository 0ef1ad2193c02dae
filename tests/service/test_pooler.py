"""PgBouncer between the service and PostgreSQL: as good as none in session mode, refused in the others."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from events.database import PINNED_PLANS, connect
from events.outage import SERVICE_ROLE, DatabaseUnavailable
from events.pooler import require_sessions
from service import suitability
from service.wiring import build
from tests.servers.pgbouncer import PROGRAM, PgBouncer
from tests.servers.receiver import Receiver
from tests.service.serving import serving, settings_for, working

Through = Callable[..., str]
IGNORES = "ignore_startup_parameters = role,jit,plan_cache_mode,enable_seqscan,enable_hashjoin,enable_mergejoin"


@pytest.fixture
def through(database: str) -> Iterator[Through]:
    """Gives the DSN of the test's database through a pooler in some mode."""
    if PROGRAM is None:
        pytest.skip("no PgBouncer is installed")
    started: list[PgBouncer] = []
    with tempfile.TemporaryDirectory(prefix="rollbook-test-") as directory:
        Path(directory).chmod(0o755)

        def start(mode: str, further: str = "") -> str:
            pooler = PgBouncer(Path(directory) / str(len(started)), database, mode, further)
            started.append(pooler)
            return pooler.start() + urlsplit(database).path.lstrip("/")

        yield start
        for each in started:
            each.stop()


@pytest.mark.parametrize("further", ["", IGNORES])
async def test_in_session_mode_everything_works(
    through: Through, receiver: Receiver, tmp_path: Path, further: str
) -> None:
    dsn = through("session", further)
    async with serving(settings_for(tmp_path), dsn) as api:
        await suitability.prepare(api.core)
        api.key = await api.issue()
        await api.post("/v1/webhook_endpoints", f"url={receiver.url('/hook')}&enabled_events[]=*")
        async with working(api):
            customer = await api.customer("name=Jenny")
            await receiver.wait_for(1)
            assert (await api.get(f"/v1/customers/{customer['id']}")).json["name"] == "Jenny"


async def test_our_role_and_plans_are_in_force_behind_a_pooler_that_ignores_parameters(through: Through) -> None:
    connection = await connect(through("session", IGNORES), application="test", **PINNED_PLANS)
    assert await connection.fetchval("SELECT current_user") == SERVICE_ROLE
    for name, value in PINNED_PLANS.items():
        assert await connection.fetchval("SELECT current_setting($1)", name) == value
    await connection.close()


@pytest.mark.parametrize("mode", ["transaction", "statement"])
@pytest.mark.parametrize("further", ["", "server_round_robin = 1"])
async def test_other_modes_are_refused_in_one_sentence(
    through: Through, tmp_path: Path, mode: str, further: str
) -> None:
    dsn = through(mode, further)
    core = await build(settings_for(tmp_path), dsn)
    with pytest.raises(
        DatabaseUnavailable, match=r"is a pooler in transaction or statement mode.*pool_mode = session"
    ) as refused:
        await suitability.prepare(core)
    assert refused.value.hopeless
    await core.close()


async def test_a_direct_connection_is_none(database: str) -> None:
    await require_sessions(database)
