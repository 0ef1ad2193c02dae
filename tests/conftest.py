"""The servers that tests share, and the rule that under CI nothing is skipped."""

import asyncio
import gc
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import asyncpg
import hypothesis
import pytest

from service.dev.cluster import PostgresFailed
from tests.servers.databases import Databases
from tests.servers.postgres import PrivatePostgres, with_database
from tests.servers.rabbitmq import HOST, PrivateRabbit
from tests.servers.receiver import Receiver

NODE_TESTS = Path(__file__).parent / "node"
LOCAL_BROKER = f"amqp://guest:guest@{HOST}:5672/"

# A busy machine may take its time over an example; the benchmarks find what is too slow.
hypothesis.settings.register_profile("rollbook", deadline=None, parent=hypothesis.settings())
hypothesis.settings.load_profile("rollbook")


@pytest.fixture(scope="session")
def server_dir() -> Iterator[Path]:
    """Where the session's servers keep their data; its path is short, since Unix sockets are in it too."""
    with tempfile.TemporaryDirectory(prefix="rollbook-tests-", ignore_cleanup_errors=True) as directory:
        yield Path(directory)


@pytest.fixture(scope="session")
def postgres_dsn(server_dir: Path) -> Iterator[str]:
    """A PostgreSQL to make databases in: the one of DATABASE_URL, or one of our own."""
    if given := os.environ.get("DATABASE_URL"):
        yield given
        return
    try:
        server = PrivatePostgres(server_dir / "postgres")
        dsn = server.start()
    except PostgresFailed as failure:
        pytest.skip(f"no PostgreSQL: {failure}")
    yield dsn
    server.stop()


@pytest.fixture(scope="session")
def databases(postgres_dsn: str) -> Iterator[Databases]:
    """Migrated databases on the session's server."""
    made = Databases(postgres_dsn)
    asyncio.run(made.open())
    yield made
    asyncio.run(made.close())


@pytest.fixture
async def database(databases: Databases) -> AsyncIterator[str]:
    """The DSN of a migrated, empty database that is this test's alone."""
    name = await databases.take()
    yield databases.dsn(name)
    await databases.give_back(name)


@pytest.fixture
async def fresh_database(databases: Databases) -> AsyncIterator[str]:
    """The same, as the migrations leave it: without the partitions of today and tomorrow."""
    name = await databases.take_fresh()
    yield databases.dsn(name)
    await databases.give_back(name)


@pytest.fixture
async def empty_database(postgres_dsn: str) -> AsyncIterator[str]:
    """The DSN of a database with nothing in it, for tests of migrations."""
    name = f"rollbook_test_{secrets.token_hex(4)}"
    await _execute(postgres_dsn, f"CREATE DATABASE {name}")
    yield with_database(postgres_dsn, name)
    await _execute(postgres_dsn, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def amqp_url(server_dir: Path) -> Iterator[str]:
    """A RabbitMQ to use side by side with others: the one of AMQP_URL, the machine's, or one of our own.

    Tests name their exchanges and queues so that nobody else's are touched.
    """
    if given := os.environ.get("AMQP_URL"):
        yield given
    elif asyncio.run(_takes_guests(LOCAL_BROKER)):
        yield LOCAL_BROKER
    elif PrivateRabbit.installed():
        broker = PrivateRabbit(server_dir / "rabbitmq")
        yield broker.start()
        broker.stop()
    else:
        pytest.skip("no RabbitMQ: AMQP_URL is not set, none answers on this machine and none is installed")


@pytest.fixture
def private_postgres(postgres_dsn: str) -> Iterator[PrivatePostgres]:
    """A PostgreSQL to be killed, not yet started; it syncs each commit to disk."""
    with tempfile.TemporaryDirectory(prefix="rollbook-test-", ignore_cleanup_errors=True) as directory:
        server = PrivatePostgres(Path(directory), settings={})
        yield server
        server.stop()


@pytest.fixture
def private_rabbit() -> Iterator[PrivateRabbit]:
    """A RabbitMQ to be killed, not yet started."""
    if not PrivateRabbit.installed():
        pytest.skip("no RabbitMQ is installed")
    with tempfile.TemporaryDirectory(prefix="rollbook-test-", ignore_cleanup_errors=True) as directory:
        broker = PrivateRabbit(Path(directory))
        yield broker
        broker.stop()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A webhook receiver on loopback."""
    async with Receiver() as listening:
        yield listening


@pytest.fixture(scope="session")
def node() -> Path:
    """The Node.js to run scripts of tests/node with, whose packages are installed."""
    program = shutil.which("node")
    if program is None or not (NODE_TESTS / "node_modules" / "stripe").exists():
        pytest.skip("Node.js or the packages of tests/node are not installed: `make test` installs them")
    return Path(program)


def pytest_collection_finish() -> None:
    """Leave the modules and the tests, which stay until the end, out of what the garbage collector looks through."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail what would be skipped under CI: there, whatever a test needs is to be installed."""
    report = yield
    if _is_ci() and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} may not be skipped under CI: {_reason(report)}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fail modules that skip themselves under CI, like the tests above."""
    report = yield
    if _is_ci() and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} may not be skipped under CI: {_reason(report)}"
    return report


def _is_ci() -> bool:
    return os.environ.get("CI") == "true"


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    return report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _takes_guests(url: str) -> bool:
    """Whether a broker answers at `url` and lets us in."""
    import aio_pika

    try:
        connection = await aio_pika.connect(url, timeout=5)
    except (OSError, TimeoutError, aio_pika.exceptions.AMQPError):
        return False
    await connection.close()
    return True
