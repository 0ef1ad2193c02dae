"""Queries of deliveries, pending and ended, with their attempts; resend and cancel.

A pending delivery is a row. Of an ended one only the attempts are kept, for 30 days like the notices; the last attempt
has the outcome. So history adds no rows to the queue that workers read.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from events.database import Pool, load_sql
from events.scope import Scope
from projections.read import PageOf, UnknownCursor
from webhooks import explanation
from webhooks.outcome import OWN_FAULTS

ID = re.compile(r"dlv_([0-9A-Za-z]+)_([0-9]{1,18})", re.ASCII)

EXCERPT_BYTES_MAX = 1024 * 1024  # of the answers in one list of attempts, each of at most 4 KiB
# Control (except tab and line feed), bidirectional and zero-width characters, and line separators.
UNPRINTABLE = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\xad\\u061c\\u180e\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb]"
)

State = Literal["pending", "held", "delivered", "failed", "canceled"]
Wanted = Literal["pending", "held", "delivered", "failed", "canceled", "undelivered"]
STATES: Mapping[str | None, State] = {
    None: "pending",
    "held": "held",
    "delivered": "delivered",
    "gave_up": "failed",
    "canceled": "canceled",
}
IN_VAIN: Mapping[Wanted | None, tuple[str, ...]] = {
    None: ("gave_up", "canceled"),
    "undelivered": ("gave_up", "canceled"),
    "failed": ("gave_up",),
    "canceled": ("canceled",),
}


class DeliveryKey(NamedTuple):
    """Identifies a delivery: by its notice and its endpoint."""

    sequence: int
    endpoint_id: str


FIRST, LAST = DeliveryKey(-1, ""), DeliveryKey(2**63 - 1, "\uffff")  # before and after every delivery


class Deliveries:
    """Queries of the deliveries of an account and mode, and commands on them."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._sql = {
            name: load_sql("webhooks", name)
            for name in (
                "find_sequence",
                "find_sequences",
                "get_delivery",
                "list_attempts",
                "list_deliveries",
                "list_deliveries_before",
            )
        }

    async def page(
        self,
        scope: Scope,
        page: PageOf,
        *,
        state: Wanted | None = None,
        endpoint: str | None = None,
        notice: str | None = None,
        customer: str | None = None,
    ) -> tuple[Sequence[dict[str, Any]], bool]:
        """A page of deliveries, those of the newest notices first, and whether there are more. Raises UnknownCursor."""
        backwards = page.ending_before is not None
        cursor = page.ending_before if backwards else page.starting_after
        key = FIRST if backwards else LAST
        if cursor is not None:
            if await self.one(scope, cursor) is None:
                raise UnknownCursor(cursor)
            key = key_of(cursor) or key
        sequences = await self._sequences(scope, notice, customer)
        if sequences == []:
            return [], False
        low, high = (FIRST.sequence, LAST.sequence) if sequences is None else (min(sequences), max(sequences))
        rows = await self._fetch(
            self._sql["list_deliveries_before" if backwards else "list_deliveries"],
            *scope,
            endpoint,
            max(low, key.sequence) if backwards else low,
            high if backwards else min(high, key.sequence),
            *key,
            page.limit + 1,
            state in (None, "pending", "undelivered"),
            state in (None, "delivered"),
            IN_VAIN.get(state, ()),
            sequences,
            state in (None, "held", "undelivered"),
        )
        shown = [render(row, scope.livemode) for row in rows[: page.limit]]
        if backwards:
            shown.reverse()
        return shown, len(rows) > page.limit

    async def _sequences(self, scope: Scope, notice: str | None, customer: str | None) -> list[int] | None:
        """The sequences of the notices to filter by; None for all."""
        if notice is None and customer is None:
            return None
        stream = None if customer is None else f"customer-{customer}"
        rows = await self._fetch(
            self._sql["find_sequences" if notice is None else "find_sequence"], *scope, notice or stream
        )
        return [row["sequence"] for row in rows if stream in (None, row["stream"])]

    async def one(self, scope: Scope, id: str) -> tuple[dict[str, Any], bool] | None:
        """A delivery without its attempts, and whether its endpoint is stopped.

        None when this account and mode have no such delivery.
        """
        key = key_of(id)
        if key is None:
            return None
        rows = await self._fetch(self._sql["get_delivery"], *scope, *key)
        return (render(rows[0], scope.livemode), rows[0]["stopped_at"] is not None) if rows else None

    async def attempts(self, key: DeliveryKey) -> list[dict[str, Any]]:
        """The attempts of a delivery, in order; only the newest where their answers exceed EXCERPT_BYTES_MAX."""
        rows = await self._fetch(self._sql["list_attempts"], *key, EXCERPT_BYTES_MAX)
        return [render_attempt(row) for row in rows]

    async def resend(self, key: DeliveryKey) -> None:
        """Resend a delivery: create it again, or make a pending one due now unless it waits for one of its key."""
        await self._fetch("SELECT webhooks.resend($1, $2)", key.endpoint_id, key.sequence)

    async def cancel(self, key: DeliveryKey) -> None:
        """Give up a delivery that is pending or held."""
        await self._fetch("SELECT webhooks.cancel($1, $2)", key.endpoint_id, [key.sequence])

    async def _fetch(self, query: str, *arguments: object) -> list[Any]:
        return await self._pool.fetch(query, *arguments)


def id_of(key: DeliveryKey) -> str:
    """The public id of a delivery."""
    return f"dlv_{key.endpoint_id.removeprefix('we_')}_{key.sequence}"


def key_of(id: str) -> DeliveryKey | None:
    """The delivery that an id names; None for an id that is malformed."""
    match = ID.fullmatch(id)
    return DeliveryKey(int(match[2]), f"we_{match[1]}") if match else None


def render(row: Mapping[str, Any], livemode: bool) -> dict[str, Any]:
    """A delivery as the API shows it."""
    kind, _, customer = row["stream"].partition("-")
    return {
        "id": id_of(DeliveryKey(row["sequence"], row["endpoint_id"])),
        "object": "rollbook.delivery",
        "attempt_count": row["attempts"],
        "created": row["created"],
        "customer": customer if kind == "customer" else None,
        "endpoint": row["endpoint_id"],
        "event": row["notice_id"],
        "livemode": livemode,
        "next_attempt": None if row["due_at"] is None else int(row["due_at"].timestamp()),
        "state": STATES[row["outcome"]],
        "type": row["type"],
    }


def render_attempt(row: Mapping[str, Any]) -> dict[str, Any]:
    """An attempt as the API shows it."""
    return {
        "object": "rollbook.delivery_attempt",
        "answer": printable(row["excerpt"]),
        "at": int(row["at"].timestamp()),
        "counts": explanation.fault_of(row["fault"]) not in OWN_FAULTS,
        "delivered": row["outcome"] == "delivered",
        "duration_ms": row["duration_ms"],
        "error": explanation.fault_of(row["fault"]),
        "error_code": row["fault"],
        "next_attempt": None if row["next_at"] is None else int(row["next_at"].timestamp()),
        "number": row["attempt"],
        "reason": None if row["outcome"] == "delivered" else explanation.words(row["fault"], row["status"]),
        "status": row["status"],
    }


def printable(answer: bytes) -> str:
    """A receiver's answer as printable text: control, bidirectional and zero-width characters are escaped."""
    return UNPRINTABLE.sub(_escaped, answer.decode(errors="replace"))


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
