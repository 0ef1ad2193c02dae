"""How Postgres answers a query: the plan it would use whatever the arguments, and what that plan touched."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import orjson


@dataclass(frozen=True)
class Plan:
    """The nodes of an executed plan, as EXPLAIN shows them."""

    nodes: list[dict[str, Any]]

    def __str__(self) -> str:
        """A line for each node."""
        return "\n".join(
            " ".join(str(node.get(key, "")) for key in ("Node Type", "Relation Name", "Index Name", "Actual Rows"))
            for node in self.nodes
        )

    @property
    def kinds(self) -> set[str]:
        """What the plan does: `Index Scan`, `Sort`."""
        return {node["Node Type"] for node in self.nodes}

    @property
    def indexes(self) -> set[str]:
        """The indexes it uses."""
        return {node["Index Name"] for node in self.nodes if "Index Name" in node}

    @property
    def touched(self) -> int:
        """How many rows it looked at, those it then left out too."""
        return sum(
            node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
            for node in self.nodes
            if "Scan" in node["Node Type"]
        )


async def explain(connection: asyncpg.Connection, query: str, *arguments: object) -> Plan:
    """Run a query by its generic plan, as a statement prepared long ago is run."""
    await connection.execute("SET plan_cache_mode = force_generic_plan")
    await connection.execute(f"PREPARE asked AS {query}")
    handed = f"({', '.join(map(_literal, arguments))})" if arguments else ""
    explained = await connection.fetchval(f"EXPLAIN (ANALYZE, BUFFERS OFF, FORMAT JSON) EXECUTE asked{handed}")
    await connection.execute("DEALLOCATE asked")
    return Plan(list(_nodes(orjson.loads(explained)[0]["Plan"])))


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for inner in node.get("Plans", ()):
        yield from _nodes(inner)


def _literal(value: object) -> str:
    match value:
        case None:
            return "NULL"
        case bool() | int():
            return str(value)
        case list() | tuple():
            return f"ARRAY[{', '.join(map(_literal, value))}]"
        case _:
            return "'" + str(value).replace("'", "''") + "'"
