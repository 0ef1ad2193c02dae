"""State <-> JSON, strictly: what is read has exactly the types that the state's class declares, or is refused.

Made of the annotations of a frozen dataclass or named tuple, once for each class. Fields are written in their order,
without their names: only the code that wrote a state reads it again (see events/snapshots.py), so there are no
versions, defaults or upcasts here.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Generic, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import orjson

from events.decider import State
from events.history_map import HistoryMap

_SCALARS = (int, str, bool, NoneType)


class _Format(NamedTuple):
    """How values of one type are written, and read. `read` raises ValueError, TypeError, KeyError or IndexError."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


class StateCodec(Generic[State]):
    """Writes and reads the states of one class."""

    def __init__(self, cls: type[State]) -> None:
        self._format = _format(cls)

    def encode(self, state: State) -> bytes:
        """The state as JSON. Raises ValueError for a value that is not of its declared type."""
        try:
            return orjson.dumps(self._format.write(state))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"the state does not encode: {error}") from error

    def decode(self, body: bytes) -> State:
        """The state that was written. Raises ValueError when there is none in it."""
        try:
            state: State = self._format.read(orjson.loads(body))
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
        return _array(arguments[0]) if arguments[1:] == (Ellipsis,) else _tuple(tuple, arguments)
    if origin is frozenset:
        return _set(arguments[0])
    if origin is HistoryMap:
        return _mapping(str, arguments[0], lambda values: HistoryMap.of(values, values.values()))
    if origin in (Mapping, dict):
        return _mapping(arguments[0], arguments[1], dict)
    if dataclasses.is_dataclass(hint):
        return _record(hint, tuple(field.name for field in dataclasses.fields(hint)))
    if isinstance(hint, type) and issubclass(hint, tuple) and hasattr(hint, "_fields"):
        return _record(hint, hint._fields)
    raise TypeError(f"a state has no {hint!r}")


def _scalar(types: Sequence[type]) -> _Format:
    known = frozenset(types)

    def check(value: Any) -> Any:
        if type(value) not in known:
            raise ValueError(f"a {type(value).__name__} where {' or '.join(each.__name__ for each in types)} is due")
        return value

    return _Format(check, check)


def _literal(values: Sequence[Any]) -> _Format:
    known = frozenset(values)

    def check(value: Any) -> Any:
        if value not in known:
            raise ValueError(f"{value!r} where one of {values} is due")
        return value

    return _Format(check, check)


def _union(hints: Sequence[Any]) -> _Format:
    if all(hint in _SCALARS for hint in hints):
        return _scalar(hints)
    others = [hint for hint in hints if hint is not NoneType]
    write, read = _format(others[0]) if len(others) == 1 else _one_of(others)
    if len(others) == len(hints):
        return _Format(write, read)
    return _Format(
        lambda value: None if value is None else write(value),
        lambda given: None if given is None else read(given),
    )


def _one_of(classes: Sequence[type]) -> _Format:
    """One of several classes: its number among them, then the value."""
    formats = [_format(each) for each in classes]
    numbers = {each: number for number, each in enumerate(classes)}

    def write(value: Any) -> Any:
        number = numbers[type(value)]
        return [number, formats[number].write(value)]

    def read(given: Any) -> Any:
        number, value = _list(given)
        return formats[number].read(value)

    return _Format(write, read)


def _array(hint: Any) -> _Format:
    write, read = _format(hint)
    return _Format(
        lambda values: [write(value) for value in values], lambda given: tuple(read(value) for value in _list(given))
    )


def _set(hint: Any) -> _Format:
    write, read = _format(hint)
    return _Format(
        lambda values: sorted(write(value) for value in values),
        lambda given: frozenset(read(value) for value in _list(given)),
    )


def _tuple(cls: Callable[[Sequence[Any]], Any], hints: Sequence[Any]) -> _Format:
    formats = [_format(hint) for hint in hints]
    return _Format(
        lambda values: [each.write(value) for each, value in zip(formats, values, strict=True)],
        lambda given: cls([each.read(value) for each, value in zip(formats, _list(given), strict=True)]),
    )


def _mapping(key: Any, value: Any, make: Callable[[dict[Any, Any]], Any]) -> _Format:
    """A list of pairs, in the mapping's own order."""
    write_key, read_key = _format(key)
    write, read = _format(value)
    return _Format(
        lambda values: [[write_key(name), write(one)] for name, one in values.items()],
        lambda given: make({read_key(name): read(one) for name, one in map(_list, _list(given))}),
    )


def _record(cls: Any, names: Sequence[str]) -> _Format:
    """A dataclass or named tuple: its fields in their order."""
    hints = get_type_hints(cls, include_extras=True)
    formats = [(name, _format(hints[name])) for name in names]

    def write(value: Any) -> Any:
        if type(value) is not cls:
            raise ValueError(f"a {type(value).__name__} where a {cls.__name__} is due")
        return [each.write(getattr(value, name)) for name, each in formats]

    def read(given: Any) -> Any:
        values = zip(formats, _list(given), strict=True)
        return cls(**{name: each.read(value) for (name, each), value in values})

    return _Format(write, read)


def _list(given: Any) -> list[Any]:
    if type(given) is not list:
        raise ValueError(f"a {type(given).__name__} where a list is due")
    return given
