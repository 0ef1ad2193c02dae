"""The types of tax ids: which countries they are of, and what they look like.

tax_id_types.txt has a line for each: the type, its country, its shape as a regular expression. A type of several
countries has a line for each of them, and the value shows which it is of; one of no country has `-` there. Of some
types no shape is published: anything printable is taken, up to fifty characters.
"""

import re
from collections.abc import Mapping
from importlib import resources
from typing import NamedTuple

UNPUBLISHED = r".{1,50}"
# The types whose numbers can be looked up in a registry: the European Commission's, the United Kingdom's, Australia's.
OF_REGISTRIES = frozenset({"au_abn", "eu_vat", "gb_vat"})


class Shape(NamedTuple):
    """The format of a value in a country; ids without a country have none."""

    country: str | None
    pattern: re.Pattern[str]


class Number(NamedTuple):
    """A normalized value, and its country."""

    value: str
    country: str | None


def _read() -> Mapping[str, tuple[Shape, ...]]:
    shapes: dict[str, tuple[Shape, ...]] = {}
    for line in resources.files("events").joinpath("tax_id_types.txt").read_text("utf-8").splitlines():
        type, country, *pattern = line.split(maxsplit=2)
        shape = Shape(None if country == "-" else country, re.compile("".join(pattern) or UNPUBLISHED, re.ASCII))
        shapes[type] = (*shapes.get(type, ()), shape)
    return shapes


SHAPES = _read()


def number(type: str, value: str) -> Number | None:
    """A normalized value of a type (without surrounding blanks, in upper case); None for an invalid value."""
    kept = value.strip().upper()
    for shape in SHAPES[type]:
        if kept.isprintable() and shape.pattern.fullmatch(kept):
            return Number(kept, shape.country)
    return None
