"""The HTTP client of the public API, for commands that run outside the service."""

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

import aiohttp
import orjson

from events.version import VERSION

USER_AGENT = f"Rollbook/{VERSION} (+command line)"
TIMEOUT_S = 30.0
WITH_BODY = ("POST", "PUT")
WORTH_A_RETRY = frozenset({429, 500, 502, 503, 504})


class Answered(NamedTuple):
    """An answer of 200, read whole."""

    headers: Mapping[str, str]
    body: bytes


class Refused(Exception):
    """The API refused the request; the message is its own."""


class Away(Exception):
    """The API cannot be reached, or cannot answer just now; asking again may help."""


class Client:
    """Calls the API at one address with one key."""

    def __init__(self, session: aiohttp.ClientSession, url: str, key: str) -> None:
        self._session = session
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}"}

    async def ask(
        self, method: str, path: str, parameters: Sequence[tuple[str, str]] = (), *, timeout_s: float = TIMEOUT_S
    ) -> Answered:
        """The answer to a request; parameters go into the form of a POST or PUT, else into the query.

        Raises Refused, Away.
        """
        sent = {"data" if method in WITH_BODY else "params": list(parameters)}
        try:
            async with self._session.request(
                method,
                self._url + path,
                headers=self._headers,
                timeout=aiohttp.ClientTimeout(total=timeout_s),
                allow_redirects=False,
                **sent,  # type: ignore[arg-type]  # of the two, the one that is named
            ) as response:
                body = await response.read()
        except aiohttp.InvalidURL as error:
            raise Refused(f"{self._url} is not a URL of the API.") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Away(f"{self._url} cannot be reached: {_why(error)}") from error
        if response.status in WORTH_A_RETRY:
            raise Away(f"{self._url} answers {response.status}")
        if response.status != 200:
            raise Refused(_message(response.status, body))
        return Answered(response.headers, body)


def _why(error: Exception) -> str:
    match error:
        case aiohttp.ClientConnectorError(os_error=ConnectionRefusedError() as refused):
            return f"{os.strerror(refused.errno or 0)}. Is the service running there?"
        case aiohttp.ClientConnectorDNSError() if error.os_error.strerror:
            return error.os_error.strerror
    return str(error) or type(error).__name__


@asynccontextmanager
async def calling(url: str, key: str) -> AsyncIterator[Client]:
    """A client with a session of its own."""
    async with aiohttp.ClientSession(headers={"User-Agent": USER_AGENT}) as session:
        yield Client(session, url, key)


def _message(status: int, body: bytes) -> str:
    try:
        return str(orjson.loads(body)["error"]["message"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return f"The response, with status {status}, is not one of this API."
