"""What development does for itself, and must not do for others: the Host check, the inbox, the warning."""

import asyncio
import gc
import tracemalloc
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from structlog.testing import capture_logs

from service import memory, roles, settings
from service.dev import inbox
from service.dev.hosts import HostCheck
from service.health import Health
from tests.service.serving import Serve, settings_for
from tests.waiting import until


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8420", "localhost", "LOCALHOST.:8420", "[::1]:8420", "[::1]", "192.168.7.3", "rollbook",
        "rollbook:80", "host.docker.internal:8420", "mac.local", "app.localhost", "shop.test", "own.example.com:1", "",
    ],
)  # fmt: skip
def test_names_of_this_machine_and_its_network_are_answered(host: str) -> None:
    assert HostCheck("own.example.com").allows(host)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8420",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "1.2.3.4.5",
        "a.local.com",
    ],
)
def test_names_that_anybody_can_point_here_are_not(host: str) -> None:
    assert not HostCheck("0.0.0.0").allows(host)


async def test_a_page_whose_name_was_pointed_here_is_refused_in_development_alone(serve: Serve, tmp_path: Path) -> None:
    development = await serve()
    production = await serve(env="production", database_url="postgresql://unused")
    for api, status in ((development, 403), (production, 200)):
        for path in ("/v1/customers", "/healthz"):
            headers = {"Host": "evil.example", "Authorization": f"Bearer {api.key}"}
            async with api.session.get(api.url + path, headers=headers) as answer:
                assert answer.status == status


@pytest.mark.parametrize(
    ("host", "exposed"), [("127.0.0.1", False), ("::1", False), ("localhost", False), ("0.0.0.0", True), ("::", True)]
)
def test_development_that_others_can_reach_is_known(tmp_path: Path, host: str, exposed: bool) -> None:
    assert settings_for(tmp_path, host=host).exposed is exposed
    assert not settings_for(tmp_path, host=host, env="production").exposed


@pytest.mark.parametrize(("host", "warned"), [("127.0.0.1", False), ("0.0.0.0", True)])
async def test_a_development_server_that_others_can_reach_says_so_in_its_log(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, host: str, warned: bool
) -> None:
    async def play(*_: object) -> None:
        """The log line comes before it."""

    monkeypatch.setattr(roles, "play", play)
    monkeypatch.setattr(memory, "configure", lambda: None)
    monkeypatch.setattr(gc, "freeze", lambda: None)
    monkeypatch.setattr(gc, "set_threshold", lambda _: None)
    settings = settings_for(tmp_path, host=host, database_url="postgresql://unused")
    with capture_logs() as logs:
        await roles.run(settings, frozenset({"api"}))
    lines = [(line["log_level"], line["host"]) for line in logs if line["event"] == "development.exposed"]
    assert lines == ([("warning", host)] if warned else [])


def test_an_empty_environment_is_not_development(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLBOOK_ENV", "")
    with pytest.raises(settings.Misconfigured, match="ROLLBOOK_ENV: is set and empty"):
        settings.read()


async def watched(kept: inbox.Inbox) -> TestClient[web.Request, web.Application]:
    application = web.Application(client_max_size=2**20)
    application.add_routes(kept.routes())
    application.on_shutdown.append(kept.close)
    return TestClient(TestServer(application))


async def test_the_inbox_shows_what_came_and_what_comes() -> None:
    async with await watched(inbox.Inbox()) as client:
        await client.post(inbox.PATH, data=b"first")
        async with client.get(inbox.PATH) as answer:
            assert b"first" in await answer.content.readuntil(b"first\n\n")
            await client.post(inbox.PATH, data=b"second")
            assert b"second" in await answer.content.readuntil(b"second\n\n")


async def test_watchers_that_do_not_read_cost_no_more_than_what_is_kept() -> None:
    """Sixteen of them took 140 MiB."""
    kept = inbox.Inbox()
    async with await watched(kept) as client:
        watchers = [await client.get(inbox.PATH) for _ in range(inbox.WATCHERS_MAX)]
        assert (await client.get(inbox.PATH)).status == 429
        tracemalloc.start()
        for _ in range(100):
            await client.post(inbox.PATH, data=bytes(1000 * 1000))
        allocated, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert allocated < 16 * 1024 * 1024
        for each in watchers:
            each.close()


async def test_a_watcher_that_does_not_read_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "READ_TIMEOUT_S", 0.1)
    kept = inbox.Inbox()
    async with await watched(kept) as client:
        host, port = client.server.host, client.server.port
        _, writer = await asyncio.open_connection(host, port, limit=1)
        writer.write(b"GET /dev/inbox HTTP/1.1\r\nHost: x\r\n\r\n")
        await until(lambda: kept._watching)

        async def cut_off() -> bool:
            await client.post(inbox.PATH, data=bytes(60_000))
            return not kept._watching

        await until(cut_off, timeout_s=30)
        writer.close()


async def test_operators_routes_move_to_a_port_of_their_own(serve: Serve) -> None:
    api = await serve(operations_port=0)
    runner = await roles.serve_http(api.core, Health(api.core, prepared=True), api=False)
    operations = f"http://127.0.0.1:{runner.addresses[0][1]}"
    await api.customer()
    for path in ("/healthz", "/readyz", "/metrics"):
        async with api.session.get(operations + path) as answer:
            assert answer.status == 200, path
        async with api.session.get(api.url + path) as answer:
            assert answer.status == 401, path
    async with api.session.get(f"{operations}/metrics") as answer:
        assert 'service_requests_total{route="customers.create",status="200"} 1.0' in await answer.text()
    async with api.session.get(f"{operations}/v1/customers") as answer:
        assert answer.status == 404
    await runner.cleanup()
