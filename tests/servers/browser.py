"""A Chromium for the tests of pages, in its headless form."""

import asyncio
import contextlib
import shutil
import threading
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from playwright.async_api import Browser, Page, async_playwright

T = TypeVar("T")
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
AXE = Path(__file__).parents[1] / "node" / "node_modules" / "axe-core" / "axe.min.js"


def program() -> str | None:
    """The path of the browser of this machine, or None."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


class SharedBrowser:
    """One browser for many tests, each of which has an event loop of its own: the browser's runs in a thread."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._browser: Browser | None = None
        self._stack = contextlib.AsyncExitStack()

    def start(self) -> None:
        """Start the browser."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(60)

    def stop(self) -> None:
        """Stop the browser, and its thread."""
        asyncio.run_coroutine_threadsafe(self._stack.aclose(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, visit: Coroutine[Any, Any, T]) -> T:
        """The result of what is done in the browser; for tests that are not coroutines."""
        return asyncio.run_coroutine_threadsafe(visit, self._loop).result(60)

    @contextlib.asynccontextmanager
    async def page(self, **options: Any) -> AsyncIterator[Page]:
        """A page of a context of its own, which fails the test for errors of scripts and refusals of the policy."""
        assert self._browser is not None
        context = await self._browser.new_context(**options)
        errors: list[str] = []
        page = await context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        try:
            yield page
            assert errors == []
        finally:
            await context.close()

    async def _start(self) -> None:
        playwright = await self._stack.enter_async_context(async_playwright())
        # Containers forbid the sandbox of Chromium; only our own pages are shown.
        self._browser = await playwright.chromium.launch(executable_path=self._path, args=["--no-sandbox"])
        self._stack.push_async_callback(self._browser.close)
