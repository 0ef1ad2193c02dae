"""Issuing and revoking API keys."""

import os
from contextlib import suppress
from hashlib import sha256

from events import ids
from events.api_key import API_KEY, IssueKey, KeyType, RevokeKey
from events.errors import ConstraintBroken, Refusal
from events.record import Origin
from events.unit_of_work import UnitOfWork
from service.wiring import Core
from webhooks.broker.subscriber import ACCOUNT

DEVELOPMENT_ACCOUNT = "acct_rollbook"
DEVELOPMENT_KEY = "sk_test_rollbook"
PREFIXES: dict[KeyType, str] = {"secret": "sk", "restricted": "rk", "publishable": "pk"}
KEY_LETTERS = 32
PERMISSIONS = (
    "audit:read",
    *(
        f"{resource}:{may}"
        for resource in (
            "coupons",
            "customers",
            "events",
            "payment_methods",
            "promotion_codes",
            "sources",
            "subscriptions",
            "tax_ids",
            "test_clocks",
            "tokens",
            "webhook_endpoints",
        )
        for may in ("read", "write")
    ),
)


def new_account() -> str:
    """The id of a new account; it comes into being with its first key."""
    return ids.new("acct", os.urandom(ids.ID_BYTES))


async def issue(
    core: Core,
    *,
    account: str,
    livemode: bool,
    key_type: KeyType = "secret",
    permissions: tuple[str, ...] = (),
    name: str = "",
    key: str | None = None,
) -> tuple[str, str]:
    """Issue a key and give its id and the key, which is shown this once.

    Raises ConstraintBroken when it exists, and Refusal for an account that is none.
    """
    if not ACCOUNT.fullmatch(account):
        raise Refusal(f"'{account}' is not a valid account id.", param="account")
    prefix = f"{PREFIXES[key_type]}_{'live' if livemode else 'test'}"
    key = key or ids.new(prefix, os.urandom(KEY_LETTERS))
    id = ids.new("key", os.urandom(ids.ID_BYTES))
    at = core.clock.now()
    command = IssueKey(
        id=id,
        created=int(at.timestamp()),
        digest=sha256(key.encode()).hexdigest(),
        name=name,
        key_type=key_type,
        permissions=permissions,
        shown=f"{prefix}_…{key[-4:]}",
    )
    origin = Origin(account=account, livemode=livemode, at=at, actor="system")

    async def act(unit: UnitOfWork) -> None:
        unit.begin(API_KEY, id)
        unit.do(API_KEY, id, command)

    await core.executor.transact(act, origin)
    return id, key


async def revoke(core: Core, id: str) -> None:
    """End a key. Raises Missing when there is no such key."""
    records = (await core.log.load(API_KEY.stream(id))).records
    account = records[0].origin.account if records else ""
    livemode = records[0].origin.livemode if records else False
    origin = Origin(account=account, livemode=livemode, at=core.clock.now(), actor="system")

    async def act(unit: UnitOfWork) -> None:
        await unit.load(API_KEY, id)
        unit.do(API_KEY, id, RevokeKey(id=id))

    await core.executor.transact(act, origin, serialized_on=(API_KEY.stream(id),))


async def ensure_development_key(core: Core) -> None:
    """Have the well-known test key of development exist."""
    if await core.reader.principal(sha256(DEVELOPMENT_KEY.encode()).hexdigest()) is not None:
        return
    with suppress(ConstraintBroken):  # another process was first
        await issue(core, account=DEVELOPMENT_ACCOUNT, livemode=False, name="development", key=DEVELOPMENT_KEY)
