"""A whole deployment, of a test's own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.faults.deployment import Deployment
from tests.servers.postgres import PrivatePostgres
from tests.servers.rabbitmq import PrivateRabbit


@pytest.fixture
async def deployment(
    private_postgres: PrivatePostgres, private_rabbit: PrivateRabbit, tmp_path: Path
) -> AsyncIterator[Deployment]:
    """Every role in a process, over servers that may be killed."""
    built = Deployment(private_postgres, private_rabbit, tmp_path)
    try:
        await built.open()
        yield built
    finally:
        built.close()
