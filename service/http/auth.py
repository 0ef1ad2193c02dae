"""Who calls: an API key to its account, mode and rights; remembered for a moment."""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from projections.read import KeyHolder
from service.http import credentials
from service.http.refusals import BadKey, KeyLacksRight, NotYourAccount, SecretKeyRequired

REMEMBERED_MAX = 10_000


class Authenticator:
    """Finds callers. A key revoked elsewhere is trusted for `trust_s` seconds more at most."""

    def __init__(
        self,
        find: Callable[[str], Awaitable[KeyHolder | None]],
        *,
        trust_s: float,
        refused: frozenset[str] = frozenset(),
    ) -> None:
        """`find` is asked by a key's digest; `refused` keys are never looked for."""
        self._find = find
        self._refused = refused
        self._trust_s = trust_s
        self._remembered: OrderedDict[str, tuple[KeyHolder, float]] = OrderedDict()

    async def caller(self, authorization: str | None) -> KeyHolder:
        """Whom the header stands for. Raises the refusals of a missing, malformed or unknown key."""
        if authorization is not None:
            holder, until = self._remembered.get(authorization, (None, 0.0))
            if holder is not None and time.monotonic() < until:
                return holder
        key = credentials.key_of(authorization)
        holder = None if key in self._refused else await self._find(credentials.digest(key))
        if holder is None:
            raise BadKey(key)
        assert authorization is not None
        self._remembered[authorization] = (holder, time.monotonic() + self._trust_s)
        if len(self._remembered) > REMEMBERED_MAX:
            self._remembered.popitem(last=False)
        return holder

    @staticmethod
    def permit(caller: KeyHolder, right: str, *, publishable: bool = False) -> None:
        """Raises a refusal when the caller's key may not do that; `right` reads `customers:write`."""
        if caller.power == "secret":
            return
        if caller.power == "publishable":
            if publishable:
                return
            raise SecretKeyRequired
        resource, _, _ = right.partition(":")
        if right not in caller.rights and not (right.endswith(":read") and f"{resource}:write" in caller.rights):
            raise KeyLacksRight(right, caller.key_id, caller.account)

    @staticmethod
    def permit_account(caller: KeyHolder, account: str) -> None:
        """Raises a refusal when a request names an account that is not the caller's."""
        if account != caller.account:
            raise NotYourAccount(account)
