"""Commands on customers, carried out over any log: the executor, without read models."""

from dataclasses import dataclass, field
from typing import Any

import orjson

from events import customer
from events.codec import Codec
from events.customer import CreateCustomer, Customer, DeleteCustomer, UpdateCustomer
from events.customer.profile import ProfilePatch
from events.decider import Change, RowsOf
from events.errors import BrokenHistory
from events.keys import MasterKeys
from events.log import Log
from events.personal import KEY_BYTES
from events.record import Origin
from events.snapshots import fold
from events.stream_cache import StreamCache
from events.transact import Executor
from service.http.idempotency import KeyUse
from service.http.reply import Reply
from service.wiring import codec
from tests import acting
from tests.events.times import NOON

CUSTOMER = customer.CUSTOMER
KEYS = MasterKeys(bytes(KEY_BYTES))
TEST = Origin(account="acct_1", livemode=False, at=NOON, actor="key_1", request_id="req_1")
LIVE = TEST._replace(livemode=True)
STRANGER = TEST._replace(account="acct_2")
ID = "cus_1"


def no_rows(change: Change[Any]) -> None:
    """The log alone: no read models."""


def reply(state: Customer, rows: Any) -> Reply:
    """Answer with what was reached."""
    return Reply(200, orjson.dumps({"id": state.id, "email": state.profile.email, "metadata": state.profile.metadata}))


@dataclass
class CustomerStore:
    """An executor of its own, as each process has one, on a log that may be shared."""

    log: Log
    codec: Codec = field(default_factory=codec)
    rows_of: RowsOf = no_rows
    remembered_max: int = 4096
    executor: Executor = field(init=False)

    def __post_init__(self) -> None:
        self.executor = Executor(
            self.log, self.codec, KEYS, self.rows_of, cache=StreamCache(streams_max=self.remembered_max)
        )

    async def create(self, id: str = ID, origin: Origin = TEST, key_use: KeyUse | None = None, **patch: Any) -> Reply:
        """Create a customer."""
        command = CreateCustomer(id=id, created=1_700_000_000, invoice_prefix=id.upper()[-8:], patch=_patch(patch))
        done: Reply = await acting.create(
            self.executor, CUSTOMER, id, command, origin, answer=reply, record=key_use and key_use.receipt
        )
        return done

    async def update(self, id: str = ID, origin: Origin = TEST, key_use: KeyUse | None = None, **patch: Any) -> Reply:
        """Change a customer."""
        command = UpdateCustomer(id=id, patch=_patch(patch))
        done: Reply = await acting.update(
            self.executor, CUSTOMER, id, command, origin, answer=reply, record=key_use and key_use.receipt
        )
        return done

    async def delete(self, id: str = ID, origin: Origin = TEST) -> Reply:
        """End a customer."""
        done: Reply = await acting.update(self.executor, CUSTOMER, id, DeleteCustomer(id=id), origin, answer=reply)
        return done

    def remembered(self, id: str = ID) -> Customer | None:
        """What this process remembers of a customer."""
        cached = self.executor._loader.cached(CUSTOMER.stream(id))
        return cached.state if cached else None

    async def replayed(self, id: str = ID) -> Customer:
        """What the log alone says of a customer."""
        stream = CUSTOMER.stream(id)
        cached = fold(CUSTOMER, self.codec, KEYS, stream, await self.log.load(stream))
        if cached is None:
            raise BrokenHistory(f"{stream} is empty")
        return cached.state


def _patch(patch: dict[str, Any]) -> ProfilePatch:
    return patch  # type: ignore[return-value]  # shorthand
