"""Issuing and revoking API keys."""

import os
from hashlib import sha256

from events import ids
from events.api_key import API_KEY, IssueKey, KeyType, RevokeKey
from events.clock import Clock
from events.errors import Missing, Refusal
from events.log import Log
from events.record import Origin
from events.scope import Scope
from events.unit_of_work import UnitOfWork
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
            "privacy",
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


def origin(scope: Scope, clock: Clock) -> Origin:
    """The origin of what is done to keys: no key's caller does it, but an operator or a process."""
    return Origin(account=scope.account, livemode=scope.livemode, at=clock.now(), actor="system")


async def issue(
    unit: UnitOfWork,
    *,
    key_type: KeyType = "secret",
    permissions: tuple[str, ...] = (),
    name: str = "",
    key: str | None = None,
) -> tuple[str, str]:
    """Issue a key of the account and mode of the unit's origin; gives its id and the key, which is shown this once.

    The commit raises ConstraintBroken when the key exists. Raises Refusal for an account that is none.
    """
    scope = unit.origin.scope
    if not ACCOUNT.fullmatch(scope.account):
        raise Refusal(f"'{scope.account}' is not a valid account id.", param="account")
    prefix = f"{PREFIXES[key_type]}_{'live' if scope.livemode else 'test'}"
    key = key or ids.new(prefix, os.urandom(KEY_LETTERS))
    id = ids.new("key", os.urandom(ids.ID_BYTES))
    command = IssueKey(
        id=id,
        created=int(unit.origin.at.timestamp()),
        digest=sha256(key.encode()).hexdigest(),
        name=name,
        key_type=key_type,
        permissions=permissions,
        shown=f"{prefix}_…{key[-4:]}",
    )
    unit.begin(API_KEY, id)
    unit.do(API_KEY, id, command)
    return id, key


async def revoke(unit: UnitOfWork, id: str) -> None:
    """End a key. Raises Missing when there is no such key."""
    await unit.load(API_KEY, id)
    unit.do(API_KEY, id, RevokeKey(id=id))


async def scope_of(log: Log, id: str) -> Scope:
    """The account and mode of a key. Raises Missing, LogUnavailable."""
    records = (await log.load(API_KEY.stream(id))).records
    if not records:
        raise Missing("API key", id)
    return records[0].origin.scope
