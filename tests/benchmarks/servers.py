"""The servers that are measured on: a PostgreSQL that syncs each commit to disk, and a broker where there is one."""

import os
import secrets
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import asyncpg

from events.migrate import migrate
from service.dev.postgres import installed_programs
from tests.benchmarks.figures import Unmeasurable
from tests.servers.postgres import PrivatePostgres, with_database
from tests.servers.rabbitmq import HOST, answers

LOCAL_BROKER = f"amqp://guest:guest@{HOST}:5672/"
RESULTS = Path(__file__).parent / "results"


@dataclass(slots=True)
class Bench:
    """What the rows measure with."""

    server: str  # DSN
    directory: Path  # for whatever is gone after the run
    quick: bool
    databases: list[str] = field(default_factory=list)

    def seconds(self, usual: float) -> float:
        """How long to measure what usually takes so long."""
        return usual / 4 if self.quick else usual

    @property
    def rounds(self) -> int:
        """How often baseline and subject take turns."""
        return 3 if self.quick else 5

    @asynccontextmanager
    async def database(self) -> AsyncIterator[str]:
        """The DSN of a migrated, empty database, dropped afterwards."""
        name = f"rollbook_bench_{secrets.token_hex(4)}"
        await self._execute(f"CREATE DATABASE {name}")
        try:
            dsn = with_database(self.server, name)
            await migrate(dsn)
            yield dsn
        finally:
            await self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    async def set(self, dsn: str, name: str, value: str | int) -> None:
        """Have a setting be so on every connection to a database that is made from now on."""
        database = urlsplit(dsn).path.lstrip("/")
        await self._execute(f"ALTER DATABASE {database} SET {name} = '{value}'")

    def scratch(self, name: str) -> Path:
        """A fresh directory."""
        path = self.directory / f"{name}-{secrets.token_hex(4)}"
        path.mkdir()
        return path

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self.server)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@asynccontextmanager
async def bench(*, quick: bool) -> AsyncIterator[Bench]:
    """Servers for one run: the PostgreSQL of DATABASE_URL, or one of our own, with fsync on, on this very disk.

    Not in the directory for temporary files, which may be memory.
    """
    RESULTS.mkdir(exist_ok=True)
    with TemporaryDirectory(dir=RESULTS, prefix="run-", ignore_cleanup_errors=True) as directory:
        given = os.environ.get("DATABASE_URL")
        if given:
            yield Bench(given, Path(directory), quick)
            return
        server = PrivatePostgres(Path(directory) / "server", settings={"track_functions": "pl"})
        try:
            # Not in a thread: a start that is cancelled half-way would go on, and nobody would stop the server.
            yield Bench(server.start(), Path(directory), quick)
        finally:
            server.stop()


def broker() -> str:
    """The URL of a RabbitMQ: that of AMQP_URL, or the machine's own. Raises Unmeasurable where none answers."""
    url = os.environ.get("AMQP_URL", LOCAL_BROKER)
    parts = urlsplit(url)
    host, port = parts.hostname or HOST, parts.port or 5672
    try:
        if answers(host, port):
            return url
    except OSError as error:
        raise Unmeasurable(f"no RabbitMQ answers at {host}:{port}; AMQP_URL may name another") from error
    raise Unmeasurable(f"what answers at {host}:{port} is no RabbitMQ")


def program(name: str) -> Path:
    """One of PostgreSQL's programs: the one on PATH, or the one of the embedded server."""
    found = shutil.which(name)
    return Path(found) if found else installed_programs() / name
