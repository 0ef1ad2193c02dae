"""Health checks: liveness (/healthz) and readiness (/readyz), a check per dependency."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

from events.errors import DatabaseUnsuitable, LogUnavailable
from events.outage import DatabaseUnavailable, Kind
from service.exposition import CONTENT_TYPE, Scrapes
from service.suitability import Migrations
from service.wiring import Core

OK = "ok"
Check = Callable[[], Awaitable[str]]  # gives OK, or what is wrong; quickly, and naming no host, role or secret


@dataclass(slots=True)
class Health:
    """Whether the process is alive, and whether it has what it needs."""

    core: Core
    prepared: bool = False  # the database has the shape this code needs
    migrations: Migrations = field(init=False)
    checks: dict[str, Check] = field(default_factory=dict)  # what is needed -> whether it is there
    brokers: dict[str, Callable[[], str]] = field(default_factory=dict)  # a role's name -> its connection's state
    reports: dict[str, Callable[[], str]] = field(default_factory=dict)  # what is reported, and not required

    _scrapes: Scrapes = field(init=False)

    def __post_init__(self) -> None:
        self._scrapes = Scrapes(self.core.metrics.render)
        self.migrations = Migrations(self.core.pool, self.core.master_keys)
        self.checks["postgres"] = self.postgres

    async def postgres(self) -> str:
        """Whether the database can be used now: reached, logged in to, read and written, of this version and key."""
        outage = await self.core.availability.now()
        if outage is not None:
            return outage.state
        if not self.prepared:
            return "waiting for migrations"
        try:
            await self.migrations.check()
        except (DatabaseUnavailable, DatabaseUnsuitable) as error:
            return error.state
        except LogUnavailable:
            return Kind.UNREACHABLE.value
        return OK

    async def healthz(self, request: web.Request) -> web.Response:
        """200 while the process answers at all."""
        return web.json_response({"status": "ok"})

    async def readyz(self, request: web.Request) -> web.Response:
        """200 when requests can be served, 503 when not; says how each dependency is.

        The API needs no broker: webhooks go around one that is down, so it is reported and not required.
        """
        dependencies = {name: await check() for name, check in self.checks.items()}
        ready = all(state == OK for state in dependencies.values())
        for role, state in self.brokers.items():
            dependencies[f"rabbitmq ({role})"] = state()
        dependencies |= {name: report() for name, report in self.reports.items()}
        return web.json_response(
            {"status": "ready" if ready else "not ready", "dependencies": dependencies}, status=200 if ready else 503
        )

    async def metrics(self, request: web.Request) -> web.Response:
        """Every meter, in Prometheus' text form."""
        return web.Response(body=await self._scrapes.text(), headers={"Content-Type": CONTENT_TYPE})

    def routes(self) -> list[web.RouteDef]:
        """The operators' routes."""
        return [
            web.get("/healthz", self.healthz),
            web.get("/readyz", self.readyz),
            web.get("/metrics", self.metrics),
        ]
