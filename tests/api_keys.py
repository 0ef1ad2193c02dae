"""API keys of tests: issued and revoked as the command line does it."""

from events.api_key import API_KEY, KeyType
from events.scope import Scope
from events.unit_of_work import UnitOfWork
from service.commands import keys
from service.wiring import Core


async def issue(
    core: Core, *, account: str, livemode: bool = False, key_type: KeyType = "secret", permissions: tuple[str, ...] = ()
) -> tuple[str, str]:
    """The id of a new key, and the key."""

    async def act(unit: UnitOfWork) -> tuple[str, str]:
        return await keys.issue(unit, key_type=key_type, permissions=permissions)

    return await core.executor.transact(act, keys.origin(Scope(account, livemode), core.clock))


async def revoke(core: Core, id: str) -> None:
    """Revoke a key."""

    async def act(unit: UnitOfWork) -> None:
        await keys.revoke(unit, id)

    origin = keys.origin(await keys.scope_of(core.log, id), core.clock)
    await core.executor.transact(act, origin, serialized_on=(API_KEY.stream(id),))
