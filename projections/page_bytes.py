"""Byte limits of pages: a page ends early, with `has_more`, where its next object would make it larger than allowed.

Sizes are summed up in the query, so what does not fit is never loaded. The first object of a page always fits: a client
that pages on by the last id it has seen gets on.
"""

from collections.abc import Iterable, Mapping
from typing import Any

PAGE_BYTES_MAX = 4 * 1024 * 1024
BYTES_UNLIMITED = 2**63 - 1  # for what is shown whatever its size


class TooManyBytes(Exception):
    """The result exceeds the maximum of bytes."""


def fitting(rows: Iterable[Mapping[str, Any]]) -> list[bytes]:
    """The bodies of the rows that a page query found to fit; from the first null body on, rows do not."""
    bodies: list[bytes] = []
    for row in rows:
        body = row["body"]
        if body is None:
            break
        bodies.append(body)
    return bodies


def whole(rows: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    """Rows of bodies with their `bytes`, none of which was left out for its size. Raises TooManyBytes."""
    for row in rows:
        if row["body"] is None and row["bytes"] is not None:
            raise TooManyBytes
        yield row
