"""Authentication: the caller of an API key, a principal with account, mode and permissions; cached for a moment."""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from events.clock import Clock
from events.keys import MasterKeys
from projections.read import Principal
from service.commands.caller import Caller
from service.http import cors, credentials
from service.http.refusals import BadKey, NotYourAccount, OtherOrigin, PermissionDenied, SecretKeyRequired

REMEMBERED_MAX = 10_000


class Authenticator:
    """Finds callers. A key revoked elsewhere is trusted for `trust_s` seconds more at most."""

    def __init__(
        self,
        find: Callable[[str], Awaitable[Principal | None]],
        *,
        clock: Clock,
        master_keys: MasterKeys,
        trust_s: float,
        refused: frozenset[str] = frozenset(),
        local: frozenset[str] = frozenset(),
    ) -> None:
        """`find` looks up the principal of a key's digest. `refused` keys are never looked up, `local` keys are refused
        from web pages of other machines.
        """
        self._find = find
        self._clock = clock
        self._master_keys = master_keys
        self._refused = refused
        self._local = frozenset(map(credentials.digest, local))
        self._trust_s = trust_s
        self._remembered: OrderedDict[str, tuple[Caller, float]] = OrderedDict()

    async def caller(self, authorization: str | None, origin: str | None = None) -> Caller:
        """The caller of the header; `origin` is that of the web page that sent it, if one did.

        Raises the refusals of a missing, malformed or unknown key.
        """
        key = credentials.key_of(authorization)
        digest = credentials.digest(key)
        if origin is not None and digest in self._local and not cors.of_this_machine(origin):
            raise OtherOrigin
        caller, until = self._remembered.get(digest, (None, 0.0))
        if caller is not None and time.monotonic() < until:
            return caller
        principal = None if key in self._refused else await self._find(digest)
        if principal is None:
            raise BadKey(key)
        caller = Caller.of(principal, self._clock, self._master_keys)
        self._remembered[digest] = (caller, time.monotonic() + self._trust_s)
        if len(self._remembered) > REMEMBERED_MAX:
            self._remembered.popitem(last=False)
        return caller

    @staticmethod
    def permit(caller: Principal, permission: str, *, publishable: bool = False) -> None:
        """Raises a refusal when the caller's key may not do that; `permission` reads `customers:write`."""
        if caller.key_type == "secret":
            return
        if caller.key_type == "publishable":
            if publishable:
                return
            raise SecretKeyRequired
        resource, _, _ = permission.partition(":")
        if permission not in caller.permissions and not (
            permission.endswith(":read") and f"{resource}:write" in caller.permissions
        ):
            raise PermissionDenied(permission, caller.key_id, caller.account)

    @classmethod
    def permits(cls, caller: Principal, permission: str) -> bool:
        """Whether the caller's key may do that."""
        try:
            cls.permit(caller, permission)
        except (PermissionDenied, SecretKeyRequired):
            return False
        return True

    @staticmethod
    def permit_account(caller: Principal, account: str) -> None:
        """Raises a refusal when a request names an account that is not the caller's."""
        if account != caller.account:
            raise NotYourAccount(account)
