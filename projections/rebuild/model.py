"""What a rebuild makes: a read model's tables, and how their rows come of the log, stream by stream.

`InlineModel` folds events: customers and every other object that the API shows, and the work that is due later.
`SearchModel` makes search rows of the customers in use, as its projection does.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import asyncpg

from events import coupon, customer
from events.database import load_sql
from events.log import record_of
from projections import customers
from projections.fold import Folded, Folds, kind_of
from projections.parked import described
from projections.rebuild import shadow
from projections.rows import CustomerRow, ResourceRow
from projections.runner import Touched
from projections.search import rows as search_rows

KEYS = "SELECT stream, wrapped FROM keys.subject WHERE stream = ANY ($1)"
PREFETCH = 1_000  # events at a time, of however long a stream
SEARCH_COLUMNS = ("account", "livemode", "id", "created", "position", "email", "name", "phone", "metadata", "terms")


class Table(NamedTuple):
    """A table of a read model, and what is compared of it."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    unique: str | None = None  # a column with a unique index, which may pass from one row to another
    compared: Mapping[str, str] = {}  # expressions in place of columns that are not the same twice


class Parked(NamedTuple):
    """A stream whose rows could not be made."""

    stream: Touched
    error: str


@dataclass(slots=True)
class Made:
    """Rows by table, and the streams that have none."""

    rows: dict[str, list[tuple[Any, ...]]] = field(default_factory=lambda: defaultdict(list))
    parked: list[Parked] = field(default_factory=list)
    events: int = 0


class Model(Protocol):
    """A read model that can be rebuilt beside the one in use."""

    name: str
    kind: str | None  # of the streams it is made of; None for all
    code: bytes  # digest of the code that makes the rows

    @property
    def tables(self) -> Sequence[Table]:
        """The tables that are swapped."""
        ...

    @property
    def merged(self) -> Sequence[str]:
        """Tables that are made too, and merged into the ones in use."""
        ...

    async def total(self, connection: asyncpg.Connection, upto: int) -> int:
        """How many events, or streams, it is made of up to a position."""
        ...

    async def make(
        self, connection: asyncpg.Connection, streams: Sequence[Touched], upto: int, *, contiguous: bool
    ) -> Made:
        """The rows of these streams after the events up to a position. `contiguous` streams leave none out between."""
        ...

    async def clear(self, connection: asyncpg.Connection, streams: Sequence[Touched]) -> None:
        """Delete rows of the next version that `make` may not give again."""
        ...

    async def keep(self, connection: asyncpg.Connection, stream: Touched, *, swapped: bool) -> None:
        """Copy the rows of a stream that is parked from the version in use; once `swapped`, those of merged tables."""
        ...


CUSTOMER_TABLE = Table(
    "customer", (*CustomerRow._fields, "position"), ("account", "livemode", "id"), unique="invoice_prefix"
)
RESOURCE_TABLE = Table(
    "resource",
    (*(name for name in ResourceRow._fields if name != "event"), "position"),
    ("account", "livemode", "kind", "id"),
    unique="lookup",
    # An endpoint's secrets are encrypted with a new nonce each time.
    compared={"facts": "CASE WHEN kind = 'webhook_endpoint' THEN facts - 'secrets' ELSE facts END"},
)
DUE_COLUMNS = ("account", "livemode", "kind", "id", "task", "subject", "due_at", "test_clock", "try_at")
SEARCH_TABLE = Table("search", SEARCH_COLUMNS, ("account", "livemode", "id"))


class InlineModel:
    """The inline read models, apart from notices."""

    name = "customers"
    tables: Sequence[Table] = (CUSTOMER_TABLE, RESOURCE_TABLE)
    merged: Sequence[str] = ("due",)
    kind: str | None = None

    def __init__(self, folds: Folds) -> None:
        self._folds = folds
        self.code = folds.code
        self._range = load_sql("projections", "read_range")
        self._streams = load_sql("projections", "read_streams")

    async def total(self, connection: asyncpg.Connection, upto: int) -> int:
        """See Model: positions have no gaps."""
        return upto

    async def make(
        self, connection: asyncpg.Connection, streams: Sequence[Touched], upto: int, *, contiguous: bool
    ) -> Made:
        """See Model."""
        made = Made()
        names = [touched.stream for touched in streams]
        wrapped = dict(
            await connection.fetch("SELECT stream, wrapped FROM keys.subject WHERE stream = ANY ($1)", names)
        )
        if contiguous:
            rows = connection.cursor(self._range, names[0], names[-1], upto, prefetch=PREFETCH)
        else:
            rows = connection.cursor(self._streams, names, upto, prefetch=PREFETCH)
        by_name = {touched.stream: touched for touched in streams}
        folding = None
        async for row in rows:
            made.events += 1
            stream = row["stream"]
            if folding is None or folding.stream != stream:
                if folding is not None:
                    self._finish(folding, made, by_name)
                folding = _Guarded(self._folds, stream, wrapped.get(stream))
            folding.add(row)
        if folding is not None:
            self._finish(folding, made, by_name)
        return made

    async def clear(self, connection: asyncpg.Connection, streams: Sequence[Touched]) -> None:
        """An object's row is never deleted; work that is done is."""
        if await connection.fetchval("SELECT to_regclass($1)", f"{shadow.NEXT}.due") is not None:
            parts = [touched.stream.partition("-") for touched in streams]
            await connection.execute(
                f"DELETE FROM {shadow.NEXT}.due WHERE (kind, id) IN (SELECT * FROM unnest($1::text[], $2::text[]))",
                [kind for kind, _, _ in parts],
                [id for _, _, id in parts],
            )

    async def keep(self, connection: asyncpg.Connection, stream: Touched, *, swapped: bool) -> None:
        """See Model."""
        kind, _, id = stream.stream.partition("-")
        if await connection.fetchval("SELECT to_regclass($1)", f"{shadow.NEXT}.due") is not None:
            columns = ", ".join(DUE_COLUMNS)
            await connection.execute(f"DELETE FROM {shadow.NEXT}.due WHERE kind = $1 AND id = $2", kind, id)
            await connection.execute(
                f"INSERT INTO {shadow.NEXT}.due ({columns}) SELECT {columns} FROM {shadow.CURRENT}.due "
                "WHERE kind = $1 AND id = $2",
                kind,
                id,
            )
        if swapped:
            return
        if kind == customer.KIND:
            await _copy(connection, CUSTOMER_TABLE, "id = $3", stream, id)
            await _copy(connection, RESOURCE_TABLE, "parent = $3 AND kind = ANY ($4)", stream, id, customers.KINDS)
            return
        known = self._folds.kinds.get(kind)
        kinds = known.resources if known is not None and known.resources else (kind,)
        id = id.rpartition(":")[2] if kind == coupon.KIND else id
        await _copy(connection, RESOURCE_TABLE, "(id = $3 OR parent = $3) AND kind = ANY ($4)", stream, id, kinds)

    def _finish(self, folding: "_Guarded", made: Made, by_name: Mapping[str, Touched]) -> None:
        folded = folding.finish()
        if isinstance(folded, str):
            made.parked.append(Parked(by_name[folding.stream], folded))
            return
        made.rows["customer"] += folded.customers
        made.rows["resource"] += folded.resources
        made.rows["due"] += [(*row, 0) for row in folded.due]


class _Guarded:
    """The fold of a stream that may be broken, which is of no concern to others."""

    def __init__(self, folds: Folds, stream: str, wrapped: bytes | None) -> None:
        self.stream = stream
        self._error: str | None = None
        try:
            self._fold = folds.begin(stream, wrapped)
        except Exception as error:
            self._error = described(error)

    def add(self, row: Any) -> None:
        if self._error is None:
            try:
                self._fold.add(record_of(row))
            except Exception as error:
                self._error = described(error)

    def finish(self) -> Folded | str:
        """The rows, or what went wrong."""
        if self._error is None:
            try:
                return self._fold.finish()
            except Exception as error:
                return described(error)
        return self._error


class SearchModel:
    """The search rows."""

    name = "search"
    tables: Sequence[Table] = (SEARCH_TABLE,)
    merged: Sequence[str] = ()
    kind: str | None = customer.KIND
    code = search_rows.SearchProjection.name.encode()

    def __init__(self) -> None:
        self._get = load_sql("projections", "get_customers_for_search")

    async def total(self, connection: asyncpg.Connection, upto: int) -> int:
        """See Model: of streams, which are read once."""
        count: int = await connection.fetchval(
            "SELECT count(*) FROM events.stream WHERE stream > 'customer-' AND stream < 'customer.'"
        )
        return count

    async def make(
        self, connection: asyncpg.Connection, streams: Sequence[Touched], upto: int, *, contiguous: bool
    ) -> Made:
        """See Model; a row shows the customer as it is now, whatever the position."""
        made = Made(events=len(streams))
        asked = [touched for touched in streams if kind_of(touched.stream) == customer.KIND]
        if not asked:
            return made
        ids = [touched.stream.removeprefix(search_rows.PREFIX) for touched in asked]
        accounts, livemodes = [touched.account for touched in asked], [touched.livemode for touched in asked]
        for row in await connection.fetch(self._get, accounts, livemodes, ids):
            if row["findable"]:
                try:
                    *columns, terms = search_rows.row_of(row)
                except Exception as error:
                    stream = Touched(row["account"], row["livemode"], search_rows.PREFIX + row["id"])
                    made.parked.append(Parked(stream, described(error)))
                else:
                    found = [int(term) for term in terms[1:-1].split(",") if term]
                    made.rows["search"].append((*columns, found))
        return made

    async def clear(self, connection: asyncpg.Connection, streams: Sequence[Touched]) -> None:
        """One that is deleted, or joined a test clock, is found no more."""
        await connection.execute(
            f"DELETE FROM {shadow.NEXT}.search WHERE (account, livemode, id) IN "
            "(SELECT * FROM unnest($1::text[], $2::boolean[], $3::text[]))",
            [touched.account for touched in streams],
            [touched.livemode for touched in streams],
            [touched.stream.removeprefix(search_rows.PREFIX) for touched in streams],
        )

    async def keep(self, connection: asyncpg.Connection, stream: Touched, *, swapped: bool) -> None:
        """See Model."""
        await _copy(connection, SEARCH_TABLE, "id = $3", stream, stream.stream.removeprefix(search_rows.PREFIX))


async def _copy(connection: asyncpg.Connection, table: Table, condition: str, stream: Touched, *more: object) -> None:
    columns = ", ".join(table.columns)
    of_stream = f"account = $1 AND livemode = $2 AND {condition}"
    arguments = (stream.account, stream.livemode, *more)
    await connection.execute(f"DELETE FROM {shadow.NEXT}.{table.name} WHERE {of_stream}", *arguments)
    await connection.execute(
        f"INSERT INTO {shadow.NEXT}.{table.name} ({columns}) "
        f"SELECT {columns} FROM {shadow.CURRENT}.{table.name} WHERE {of_stream}",
        *arguments,
    )
