"""What a process can say of its own health."""

from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import web
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from events.errors import DatabaseUnsuitable, LogUnavailable
from service.suitability import Migrations
from service.wiring import Core


@dataclass(slots=True)
class Health:
    """Whether the process is alive, and whether it has what it needs."""

    core: Core
    prepared: bool = False  # the database has the shape this code needs
    state: str = "waiting for migrations"  # until then
    migrations: Migrations = field(init=False)
    brokers: dict[str, Callable[[], str]] = field(default_factory=dict)  # a role's name -> its connection's state

    def __post_init__(self) -> None:
        self.migrations = Migrations(self.core.pool)

    async def healthz(self, request: web.Request) -> web.Response:
        """200 while the process answers at all."""
        return web.json_response({"status": "ok"})

    async def readyz(self, request: web.Request) -> web.Response:
        """200 when requests can be served, 503 when not; says how each dependency is.

        The API needs no broker: webhooks go around one that is down, so it is reported and not required.
        """
        database = "ok"
        try:
            await self.core.reader.ping()
            if not self.prepared:
                database = self.state
            else:
                await self.migrations.check()
        except DatabaseUnsuitable as error:
            database = error.state
        except LogUnavailable:
            database = "Postgres is unavailable"
        dependencies = {"postgres": database}
        for role, state in self.brokers.items():
            dependencies[f"rabbitmq ({role})"] = state()
        ready = database == "ok"
        return web.json_response(
            {"status": "ready" if ready else "not ready", "dependencies": dependencies}, status=200 if ready else 503
        )

    async def metrics(self, request: web.Request) -> web.Response:
        """Every meter, in Prometheus' text form."""
        body = generate_latest(self.core.metrics.registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    def routes(self) -> list[web.RouteDef]:
        """The operators' routes."""
        return [
            web.get("/healthz", self.healthz),
            web.get("/readyz", self.readyz),
            web.get("/metrics", self.metrics),
        ]
