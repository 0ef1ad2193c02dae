"""Addresses to listen on, and how they are written."""

import socket
from collections.abc import Sequence

import pytest
from aiohttp import ClientSession, web

from service import listening


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8420"),
        ("::", "http://[::]:8420"),
        ("::1", "http://[::1]:8420"),
        ("localhost", "http://localhost:8420"),
    ],
)
def test_an_address_of_ipv6_stands_in_brackets(host: str, url: str) -> None:
    assert listening.url(host, 8420) == url


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has not both")
@pytest.mark.parametrize(("host", "reached"), [("::", ["127.0.0.1", "[::1]"]), ("::1", ["[::1]"])])
async def test_every_address_is_that_of_both_families(host: str, reached: Sequence[str]) -> None:
    runner = web.AppRunner(web.Application())
    await runner.setup()
    try:
        await listening.start(runner, host, 0)
        port = runner.addresses[0][1]
        async with ClientSession() as session:
            for address in reached:
                async with session.get(f"http://{address}:{port}/") as answer:
                    assert answer.status == 404
        with pytest.raises(OSError, match="in use"):
            await listening.require_free(host, port)
        with pytest.raises(OSError, match="in use"):
            await listening.start(runner, host, port)
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])
async def test_a_port_that_another_process_has_is_not_free(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            await listening.require_free(host, port)
    await listening.require_free(host, port)


async def test_an_address_of_another_machine_is_none_to_listen_on() -> None:
    with pytest.raises(OSError, match="Cannot assign"):
        await listening.require_free("192.0.2.1", 0)
