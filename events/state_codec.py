"""State <-> JSON, strictly: what is read has exactly the types that the state's class declares, or is refused.

Made of the annotations of a frozen dataclass or named tuple, once for each class. The format is columnar: of many
values of one class, such as thousands of balance transactions, those of each field stand together, and are checked and
written at once; reading makes the same checks, so what was written can be read. There are no names of fields in it:
only the code that wrote a state reads it again (see events/snapshots.py), so there are no versions, defaults or upcasts
here.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice, repeat
from operator import attrgetter
from types import NoneType, UnionType
from typing import Annotated, Any, Generic, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import orjson

from events.decider import State
from events.history_map import HistoryMap

_SCALARS = (int, str, bool, NoneType)


class _Format(NamedTuple):
    """How a column of values of one type is written, and how one of so many values is read.

    `read` raises ValueError, TypeError, KeyError or IndexError.
    """

    write: Callable[[Sequence[Any]], Any]
    read: Callable[[Any, int], Sequence[Any]]


class StateCodec(Generic[State]):
    """Writes and reads the states of one class."""

    def __init__(self, cls: type[State]) -> None:
        self._format = _format(cls)

    def encode(self, state: State) -> bytes:
        """The state as JSON. Raises ValueError for a value that is not of its declared type."""
        try:
            return orjson.dumps(self._format.write([state]))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"the state does not encode: {error}") from error

    def decode(self, body: bytes) -> State:
        """The state that was written. Raises ValueError when there is none in it."""
        try:
            state: State
            [state] = self._format.read(orjson.loads(body), 1)
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise ValueError(f"the state does not decode: {error}") from error
        return state


def _format(hint: Any) -> _Format:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in _SCALARS or hint is None:
        return _scalar((NoneType if hint is None else hint,))
    if origin is Annotated:
        return _format(arguments[0])
    if origin is Literal:
        return _literal(arguments)
    if origin in (Union, UnionType):
        return _union(arguments)
    if origin is tuple:
        return _array(arguments[0], tuple) if arguments[1:] == (Ellipsis,) else _tuple(arguments)
    if origin is frozenset:
        return _array(arguments[0], frozenset)
    if origin is HistoryMap:
        return _history_map(arguments[0])
    if origin in (Mapping, dict):
        return _mapping(arguments[0], arguments[1])
    if dataclasses.is_dataclass(hint):
        return _record(hint, tuple(field.name for field in dataclasses.fields(hint)))
    if isinstance(hint, type) and issubclass(hint, tuple) and hasattr(hint, "_fields"):
        return _record(hint, hint._fields)
    raise TypeError(f"a state has no {hint!r}")


def _scalar(types: Sequence[type]) -> _Format:
    known = frozenset(types)

    def check(values: Sequence[Any]) -> Sequence[Any]:
        for other in set(map(type, values)) - known:
            raise ValueError(f"a {other.__name__} where {' or '.join(each.__name__ for each in types)} is due")
        return values

    return _Format(check, lambda given, count: check(_list(given, count)))


def _literal(allowed: Sequence[Any]) -> _Format:
    known = frozenset(allowed)

    def check(values: Sequence[Any]) -> Sequence[Any]:
        for other in set(values) - known:
            raise ValueError(f"{other!r} where one of {allowed} is due")
        return values

    return _Format(check, lambda given, count: check(_list(given, count)))


def _union(hints: Sequence[Any]) -> _Format:
    if all(hint in _SCALARS for hint in hints):
        return _scalar(hints)
    others = [hint for hint in hints if hint is not NoneType]
    some = _format(others[0]) if len(others) == 1 else _one_of(others)
    return some if len(others) == len(hints) else _optional(some)


def _optional(some: _Format) -> _Format:
    """Which are None, and a column of the others."""

    def write(values: Sequence[Any]) -> Any:
        return [[value is None for value in values], some.write([value for value in values if value is not None])]

    def read(given: Any, count: int) -> Sequence[Any]:
        absent, present = _list(given, 2)
        absent = _BOOLS.read(absent, count)
        found = iter(some.read(present, count - sum(absent)))
        return [None if each else next(found) for each in absent]

    return _Format(write, read)


def _one_of(classes: Sequence[type]) -> _Format:
    """Values of several classes: of each its class's number among them, and a column for each class."""
    formats = [_format(each) for each in classes]
    numbers = {each: number for number, each in enumerate(classes)}

    def write(values: Sequence[Any]) -> Any:
        columns: list[list[Any]] = [[] for _ in classes]
        for value in values:
            columns[numbers[type(value)]].append(value)
        written = [each.write(column) for each, column in zip(formats, columns, strict=True)]
        return [[numbers[type(value)] for value in values], written]

    def read(given: Any, count: int) -> Sequence[Any]:
        numbered, columns = _list(given, 2)
        numbered = _COUNTS.read(numbered, count)
        found = [
            iter(each.read(column, numbered.count(number)))
            for number, (each, column) in enumerate(zip(formats, _list(columns, len(formats)), strict=True))
        ]
        return [next(found[number]) for number in numbered]

    return _Format(write, read)


def _array(hint: Any, make: Callable[[Iterable[Any]], Any]) -> _Format:
    """How many each has, and a column of all of them; those of a set are sorted."""
    some = _format(hint)
    order: Callable[[Any], Iterable[Any]] = sorted if make is frozenset else tuple

    def write(values: Sequence[Any]) -> Any:
        return [list(map(len, values)), some.write([one for value in values for one in order(value)])]

    def read(given: Any, count: int) -> Sequence[Any]:
        lengths, column = _list(given, 2)
        lengths = _COUNTS.read(lengths, count)
        found = iter(some.read(column, sum(lengths)))
        return [make(islice(found, length)) for length in lengths]

    return _Format(write, read)


def _tuple(hints: Sequence[Any]) -> _Format:
    return _columns([_format(hint) for hint in hints], _transposed, lambda rows: rows)


def _mapping(key: Any, value: Any) -> _Format:
    """How many each has, and columns of all keys and of all values, in the mappings' own order."""
    keys, values = _format(key), _format(value)

    def write(mappings: Sequence[Mapping[Any, Any]]) -> Any:
        filled = [each for each in mappings if each]
        return [
            list(map(len, mappings)),
            keys.write([name for each in filled for name in each]),
            values.write([one for each in filled for one in each.values()]),
        ]

    def read(given: Any, count: int) -> Sequence[Mapping[Any, Any]]:
        lengths, names, ones = _list(given, 3)
        lengths = _COUNTS.read(lengths, count)
        total = sum(lengths)
        pairs = zip(keys.read(names, total), values.read(ones, total), strict=True)
        return [dict(islice(pairs, length)) if length else {} for length in lengths]

    return _Format(write, read)


def _history_map(value: Any) -> _Format:
    """How many each has, and for each a column of keys and one of values."""
    keys, values = _format(str), _format(value)

    def write(mappings: Sequence[HistoryMap[Any]]) -> Any:
        entries = [each.entries() for each in mappings]
        return [[len(names), keys.write(names), values.write(ones)] for names, ones in entries]

    def read(given: Any, count: int) -> Sequence[HistoryMap[Any]]:
        made = []
        for each in _list(given, count):
            length, names, ones = _list(each, 3)
            made.append(HistoryMap.of(keys.read(names, length), values.read(ones, length)))
        return made

    return _Format(write, read)


def _record(cls: Any, names: Sequence[str]) -> _Format:
    """A dataclass or named tuple: a column for each field, in their order."""
    hints = get_type_hints(cls, include_extras=True)
    formats = [_format(hints[name]) for name in names]
    if issubclass(cls, tuple):
        return _columns(formats, _transposed, lambda rows: map(cls._make, rows), cls)
    return _columns(
        formats,
        lambda values, _: [list(map(attrgetter(name), values)) for name in names],
        lambda rows: (cls(**dict(zip(names, row, strict=True))) for row in rows),
        cls,
    )


def _columns(
    formats: Sequence[_Format],
    split: Callable[[Sequence[Any], int], Sequence[Sequence[Any]]],
    make: Callable[[Iterable[tuple[Any, ...]]], Iterable[Any]],
    cls: type = tuple,
) -> _Format:
    """A column for each part of values of one class."""

    def write(values: Sequence[Any]) -> Any:
        for other in set(map(type, values)) - {cls}:
            raise ValueError(f"a {other.__name__} where a {cls.__name__} is due")
        parts = split(values, len(formats))
        return [each.write(column) for each, column in zip(formats, parts, strict=True)]

    def read(given: Any, count: int) -> Sequence[Any]:
        columns = _list(given, len(formats))
        parts = [each.read(column, count) for each, column in zip(formats, columns, strict=True)]
        return list(make(zip(*parts, strict=True) if parts else repeat((), count)))

    return _Format(write, read)


def _transposed(values: Sequence[tuple[Any, ...]], width: int) -> Sequence[Sequence[Any]]:
    return list(map(list, zip(*values, strict=True))) if values else [[] for _ in range(width)]


def _list(given: Any, length: int) -> list[Any]:
    if type(given) is not list or len(given) != length:
        raise ValueError(f"no list of {length} where one is due")
    return given


def _counts(given: Any, count: int) -> Sequence[int]:
    counts = _INTS.read(given, count)
    if counts and min(counts) < 0:
        raise ValueError("a negative number where something is counted")
    return counts


_BOOLS = _scalar((bool,))
_INTS = _scalar((int,))
_COUNTS = _Format(_INTS.write, _counts)
