"""The event codec (serialization): event <-> canonical JSON with sorted keys, no floats, and personal fields encrypted.

The stored bytes are hashed, so an event must always be serialized to the same bytes: dataclass fields are in
alphabetical order (checked at registration) and keys of mappings are sorted. Old schema versions are upcast on read:
pure functions from the plain JSON of one version to that of the next.
"""

import base64
import dataclasses
from collections.abc import Callable, Mapping
from typing import Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

import orjson
from pydantic import TypeAdapter
from typing_extensions import is_typeddict

from events.errors import BrokenHistory
from events.personal import PERSONAL, SubjectKey
from events.record import Record

SEALED = "sealed"
Upcast = Callable[[dict[str, Any]], dict[str, Any]]


class Field(NamedTuple):
    """What of a field is personal: all of it, or the keys inside it that have a path, under which they are sealed."""

    name: str
    personal: bool
    paths: Mapping[str, str] | None  # of a TypedDict


@dataclasses.dataclass(frozen=True, slots=True)
class EventType:
    """How one type of event is written: its name, its current schema version, what of it is personal."""

    name: str
    cls: type[Any]
    schema_version: int
    upcasts: Mapping[int, Upcast]  # from that version to the next
    adapter: TypeAdapter[Any]
    fields: tuple[Field, ...]


class Codec:
    """The event types a process knows; types it does not know are BrokenHistory to it."""

    def __init__(self) -> None:
        self._by_class: dict[type[Any], EventType] = {}
        self._by_name: dict[str, EventType] = {}

    def register(self, name: str, cls: type[Any], *, upcasts: Mapping[int, Upcast] | None = None) -> None:
        """Make `cls` known as `name`, written at the schema version to which `upcasts` lead: 1 without any."""
        upcasts = upcasts or {}
        schema_version = len(upcasts) + 1
        assert list(upcasts) == list(range(1, schema_version)), f"{name} has an upcast from each earlier version"
        hints = get_type_hints(cls, include_extras=True)
        fields = tuple(field.name for field in dataclasses.fields(cls))
        assert list(fields) == sorted(fields), f"fields of {cls.__name__} must stand in alphabetical order"
        event_type = EventType(
            name=name,
            cls=cls,
            schema_version=schema_version,
            upcasts=upcasts,
            adapter=TypeAdapter(cls),
            fields=tuple(_field(field, hints[field]) for field in fields),
        )
        self._by_class[cls] = event_type
        self._by_name[name] = event_type

    @property
    def types(self) -> Mapping[str, EventType]:
        """Every known type by name."""
        return self._by_name

    def type_of(self, event: object) -> EventType:
        """How `event` is written."""
        return self._by_class[type(event)]

    def encode(self, event: object, *, key: SubjectKey | None, stream: str, version: int) -> bytes:
        """The canonical bytes of `event` as the `version`th of `stream`."""
        event_type = self._by_class[type(event)]
        plain: dict[str, Any] = {}
        personal: dict[str, Any] = {}
        for name, is_personal, paths in event_type.fields:
            value = getattr(event, name)
            if paths is not None:
                plain[name] = kept = {}
                for part, one in value.items():
                    if part in paths:
                        personal[paths[part]] = one
                    else:
                        kept[part] = one
            elif is_personal:
                personal[name] = value
            else:
                plain[name] = value
        if personal:
            assert key is not None, f"{event_type.name} holds personal data and needs its stream's key"
            sealed = key.seal(_dumps(personal), stream=stream, version=version, field=event_type.name)
            plain[SEALED] = base64.b64encode(sealed).decode()
        return _dumps(plain)

    def decode(self, record: Record, *, key: SubjectKey | None) -> Any:
        """The event of a record. With its key destroyed, the personal fields of an event are absent.

        Raises BrokenHistory when the record does not decode or does not unseal, or newer code than this wrote it.
        """
        event_type = self._by_name.get(record.type)
        if event_type is None:
            raise BrokenHistory(f"{record.stream} version {record.version}: unknown type {record.type}")
        if record.schema_version > event_type.schema_version:
            raise BrokenHistory(f"{record.stream} version {record.version}: {record.type} of a newer schema version")
        try:
            plain, _ = unsealed(record, key=key)
            for version in range(record.schema_version, event_type.schema_version):
                plain = event_type.upcasts[version](plain)
            return event_type.adapter.validate_python(plain)
        except (ValueError, KeyError, TypeError, AttributeError) as error:  # no JSON, no object, not of this shape
            raise BrokenHistory(f"{record.stream} version {record.version}: does not decode") from error


def unsealed(record: Record, *, key: SubjectKey | None) -> tuple[dict[str, Any], bool]:
    """The JSON of a record as it was stored, its personal fields unsealed; and whether they stay sealed, for ever.

    Raises BrokenHistory, and for what is no event ValueError, KeyError, TypeError or AttributeError.
    """
    plain: dict[str, Any] = orjson.loads(record.payload)
    sealed = plain.pop(SEALED, None)
    if sealed is None or key is None:
        return plain, sealed is not None
    opened = key.unseal(base64.b64decode(sealed), stream=record.stream, version=record.version, field=record.type)
    for path, value in orjson.loads(opened).items():
        container, _, name = path.rpartition(".")
        (plain[container] if container else plain)[name] = value
    return plain, False


def _dumps(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _field(name: str, hint: Any) -> Field:
    if not is_typeddict(hint):
        return Field(name, _is_personal(hint), None)
    keys = get_type_hints(hint, include_extras=True)
    return Field(name, False, {key: f"{name}.{key}" for key, each in keys.items() if _is_personal(each)})


def _is_personal(hint: Any) -> bool:
    return get_origin(hint) is Annotated and PERSONAL in get_args(hint)[1:]
