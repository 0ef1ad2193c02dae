"""Stripe's official client for Python, pointed at a server under test.

The client is synchronous, so it runs in a thread of its own.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import stripe

from tests.service.serving import Api

Script = Callable[[Any], Any]  # gets a StripeClient


async def run_script(api: Api, script: Script, **options: Any) -> Any:
    """What `script` gives with a client of this server; `options` are those of the client."""
    client = stripe.StripeClient(
        options.pop("key", api.key),
        base_addresses={"api": api.url},
        http_client=stripe.UrllibClient(),
        max_network_retries=0,
        **options,
    )
    return await asyncio.to_thread(script, client)


def raw_request(client: Any, method: str, path: str, **parameters: Any) -> Any:
    """The answer of a route that the client has no method for, as one of its objects."""
    return client.deserialize(client.raw_request(method, path, **parameters), api_mode="V1")
