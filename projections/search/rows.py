"""The search projection follows the log: rows of customers that are not deleted and have no test clock."""

from collections.abc import Sequence
from typing import Any

import asyncpg
import orjson

from events import customer
from events.database import load_sql
from events.scope import Scope
from projections.runner import Touched
from projections.search import terms
from projections.search.query import TEXTS

PREFIX = customer.stream("")


class SearchProjection:
    """See projections.runner.Projection."""

    name = "search.2"  # a new name, and so a new checkpoint, when rows change in form: see the migrations

    def __init__(self) -> None:
        self._get = load_sql("projections", "get_customers_for_search")
        self._put = load_sql("projections", "put_search")
        self._remove = load_sql("projections", "remove_search")

    async def apply(self, connection: asyncpg.Connection, touched: Sequence[Touched]) -> None:
        """Apply changes in three statements, whatever the number of customers."""
        asked = [
            one._replace(stream=one.stream.removeprefix(PREFIX)) for one in touched if one.stream.startswith(PREFIX)
        ]
        if not asked:
            return
        found: list[Any] = await connection.fetch(self._get, *_columns(asked))
        findable = [row_of(row) for row in found if row["findable"]]
        gone = [row[:3] for row in found if not row["findable"]]
        if findable:
            await connection.execute(self._put, *_columns(findable))
        if gone:
            await connection.execute(self._remove, *_columns(gone))


def row_of(customer: Any) -> tuple[Any, ...]:
    """The parameters of put_search for one customer, a row of get_customers_for_search."""
    shown = orjson.loads(customer["body"])
    scope = Scope(customer["account"], customer["livemode"])
    texts = {field: None if shown[field] is None else terms.folded(shown[field]) for field in TEXTS}
    metadata = {terms.normalized(key): terms.normalized(value) for key, value in shown["metadata"].items()}
    found = terms.of_customer(scope, texts, metadata)
    return (
        *scope,
        customer["id"],
        customer["created"],
        customer["position"],
        *(texts[field] for field in TEXTS),
        orjson.dumps(metadata).decode(),
        "{" + ",".join(map(str, found)) + "}",
    )


def _columns(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
