"""Authentication: the principal of an API key (account, mode and permissions), cached for a moment."""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from projections.read import Principal
from service.http import cors, credentials
from service.http.refusals import BadKey, KeyLacksRight, NotYourAccount, OtherOrigin, SecretKeyRequired

REMEMBERED_MAX = 10_000


class Authenticator:
    """Finds principals. A key revoked elsewhere is trusted for `trust_s` seconds more at most."""

    def __init__(
        self,
        find: Callable[[str], Awaitable[Principal | None]],
        *,
        trust_s: float,
        refused: frozenset[str] = frozenset(),
        local: frozenset[str] = frozenset(),
    ) -> None:
        """`find` is asked by a key's digest; `refused` keys are never looked for, `local` ones not for other pages."""
        self._find = find
        self._refused = refused
        self._local = frozenset(map(credentials.digest, local))
        self._trust_s = trust_s
        self._remembered: OrderedDict[str, tuple[Principal, float]] = OrderedDict()

    async def caller(self, authorization: str | None, origin: str | None = None) -> Principal:
        """The principal of the header; `origin` is that of the web page that sent it, if one did.

        Raises the refusals of a missing, malformed or unknown key.
        """
        key = credentials.key_of(authorization)
        digest = credentials.digest(key)
        if origin is not None and digest in self._local and not cors.of_this_machine(origin):
            raise OtherOrigin
        principal, until = self._remembered.get(digest, (None, 0.0))
        if principal is not None and time.monotonic() < until:
            return principal
        principal = None if key in self._refused else await self._find(digest)
        if principal is None:
            raise BadKey(key)
        self._remembered[digest] = (principal, time.monotonic() + self._trust_s)
        if len(self._remembered) > REMEMBERED_MAX:
            self._remembered.popitem(last=False)
        return principal

    @staticmethod
    def permit(caller: Principal, right: str, *, publishable: bool = False) -> None:
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
    def permit_account(caller: Principal, account: str) -> None:
        """Raises a refusal when a request names an account that is not the caller's."""
        if account != caller.account:
            raise NotYourAccount(account)
