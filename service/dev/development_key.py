"""The API key of development: well known, of test mode, and issued by the first process that finds it missing."""

from contextlib import suppress
from hashlib import sha256

from events.errors import ConstraintBroken
from events.scope import Scope
from events.unit_of_work import UnitOfWork
from service.commands import keys
from service.wiring import Core


async def ensure(core: Core) -> None:
    """Have the key exist. Raises LogUnavailable."""
    if await core.reader.principal(sha256(keys.DEVELOPMENT_KEY.encode()).hexdigest()) is not None:
        return

    async def act(unit: UnitOfWork) -> None:
        await keys.issue(unit, name="development", key=keys.DEVELOPMENT_KEY)

    with suppress(ConstraintBroken):  # another process was first
        await core.executor.transact(act, keys.origin(Scope(keys.DEVELOPMENT_ACCOUNT, livemode=False), core.clock))
