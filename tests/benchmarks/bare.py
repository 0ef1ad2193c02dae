"""The handlers that Rollbook's API is compared with: as little as aiohttp can do for such a request.

`python -m tests.benchmarks.bare BYTES` says its port and serves: a POST parses a form and answers a small JSON, a GET
answers so many bytes of JSON.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvloop
from aiohttp import web

from tests.benchmarks.processes import answer, helper

HOST = "127.0.0.1"
OK = b'{"ok": true}'


@asynccontextmanager
async def bare_server(answer_bytes: int) -> AsyncIterator[int]:
    """The handlers in a process of their own; gives its port."""
    async with helper("bare", str(answer_bytes)) as process:
        yield int(await answer(process))


async def _serve(answer_bytes: int) -> None:
    body = b'"' + b"x" * (answer_bytes - 2) + b'"'

    async def post(request: web.Request) -> web.Response:
        await request.post()
        return web.Response(body=OK, content_type="application/json")

    async def get(request: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    application = web.Application()
    application.add_routes([web.post("/v1/customers", post), web.get("/v1/customers/{customer}", get)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, HOST, 0, backlog=1024).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)  # until whoever started us is gone
    await runner.cleanup()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
