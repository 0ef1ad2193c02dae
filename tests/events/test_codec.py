"""Events to canonical bytes and back: sealed, forgotten, changed, moved, old and yet unknown."""

import base64
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.codec import Codec
from events.customer import CustomerCreated, CustomerDeleted, CustomerUpdated
from events.errors import BrokenHistory
from events.keys import MasterKeys
from events.personal import KEY_BYTES, PERSONAL, SubjectKey
from events.record import Origin, Record
from service.wiring import codec
from tests.events.samples import SAMPLES
from tests.events.strategies import EVENTS, any_event
from tests.events.times import NOON

KNOWN = codec()
KEY = SubjectKey(bytes(KEY_BYTES))
OTHER_KEY = SubjectKey(bytes([1]) * KEY_BYTES)
STREAM = "customer-cus_1"
PERSONAL_TYPES = ["customer.created", "customer.updated", "webhook_endpoint.created", "webhook_endpoint.updated"]


def record(
    type: str, payload: bytes, *, stream: str = STREAM, version: int = 1, schema_version: int | None = None
) -> Record:
    if schema_version is None:
        schema_version = KNOWN.types[type].schema_version
    origin = Origin(account="acct_1", livemode=False, at=NOON, actor="system")
    return Record(1, stream, version, type, schema_version, payload, bytes(32), origin)


def encoded(event: object, version: int = 1) -> bytes:
    return KNOWN.encode(event, key=KEY, stream=STREAM, version=version)


def test_every_registered_type_is_tried_here() -> None:
    assert set(EVENTS) == set(SAMPLES) == set(KNOWN.types)


@given(any_event, st.integers(min_value=1, max_value=2**40))
def test_what_is_decoded_is_what_was_encoded(event: object, version: int) -> None:
    payload = encoded(event, version)
    type = KNOWN.type_of(event).name
    assert KNOWN.decode(record(type, payload, version=version), key=KEY) == event


@given(any_event)
def test_an_event_always_gives_the_same_bytes(event: object) -> None:
    type = KNOWN.type_of(event).name
    payload = encoded(event)
    again = encoded(KNOWN.decode(record(type, payload), key=KEY))
    assert _plain(again) == _plain(payload)
    assert _opened(again, type) == _opened(payload, type)


@given(any_event)
def test_keys_are_sorted_and_no_space_is_wasted(event: object) -> None:
    payload = encoded(event)
    assert payload == orjson.dumps(orjson.loads(payload), option=orjson.OPT_SORT_KEYS)


def test_the_order_in_which_attributes_were_set_does_not_show() -> None:
    one = CustomerUpdated(attributes={"tax_exempt": "none", "invoice_prefix": "A", "next_invoice_sequence": 2})
    two = CustomerUpdated(attributes={"next_invoice_sequence": 2, "invoice_prefix": "A", "tax_exempt": "none"})
    assert encoded(one) == encoded(two)


@pytest.mark.parametrize("type", PERSONAL_TYPES)
def test_nothing_personal_is_legible_in_what_is_stored(type: str) -> None:
    payload = encoded(SAMPLES[type])
    for secret in (
        "jenny",
        "Jenny",
        "Langstrasse",
        "Rosen &",
        "Our first",
        "blue",
        "gold",
        "+41",
        "example.com",
        "whsec",
    ):
        assert secret.encode() not in payload


@pytest.mark.parametrize("type", PERSONAL_TYPES)
def test_a_destroyed_key_leaves_the_event_without_its_personal_part(type: str) -> None:
    event: Any = KNOWN.decode(record(type, encoded(SAMPLES[type])), key=None)
    sample: Any = SAMPLES[type]
    [paths] = [field.paths for field in KNOWN.types[type].fields if field.name == "attributes"]
    assert paths
    kept = set(event.attributes)
    assert kept == set(sample.attributes) - paths.keys()
    assert kept


def test_an_event_with_nothing_personal_needs_no_key() -> None:
    event = CustomerDeleted(id="cus_1")
    payload = KNOWN.encode(event, key=None, stream=STREAM, version=2)
    assert payload == b'{"id":"cus_1"}'
    assert KNOWN.decode(record("customer.deleted", payload), key=None) == event


def test_something_personal_is_never_written_unsealed() -> None:
    with pytest.raises(AssertionError):
        KNOWN.encode(SAMPLES["customer.updated"], key=None, stream=STREAM, version=1)


@pytest.mark.parametrize(
    ("key", "stream", "version"),
    [(OTHER_KEY, STREAM, 1), (KEY, "customer-cus_2", 1), (KEY, STREAM, 2)],
    ids=["under another key", "in another stream", "at another version"],
)
def test_a_sealed_part_opens_only_where_it_was_sealed(key: SubjectKey, stream: str, version: int) -> None:
    payload = encoded(SAMPLES["customer.updated"])
    with pytest.raises(BrokenHistory):
        KNOWN.decode(record("customer.updated", payload, stream=stream, version=version), key=key)


def test_a_sealed_part_does_not_open_in_an_event_of_another_type() -> None:
    payload = encoded(CustomerCreated(id="cus_1", created=1, attributes={"email": "jenny@example.com"}))
    sealed = orjson.loads(payload)["sealed"]
    moved = orjson.dumps({"attributes": {}, "sealed": sealed})
    with pytest.raises(BrokenHistory):
        KNOWN.decode(record("customer.updated", moved), key=KEY)


@given(st.data())
def test_a_sealed_part_with_any_bit_changed_does_not_open(data: st.DataObject) -> None:
    payload = encoded(CustomerUpdated(attributes={"email": "jenny@example.com"}))
    sealed = bytearray(base64.b64decode(orjson.loads(payload)["sealed"]))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    changed = orjson.dumps({"attributes": {}, "sealed": base64.b64encode(bytes(sealed)).decode()})
    with pytest.raises(BrokenHistory):
        KNOWN.decode(record("customer.updated", changed), key=KEY)


@given(st.integers(min_value=0))
def test_a_sealed_part_cut_short_does_not_open(left: int) -> None:
    sealed = base64.b64decode(orjson.loads(encoded(SAMPLES["customer.updated"]))["sealed"])
    with pytest.raises(BrokenHistory):
        KEY.unseal(sealed[: left % len(sealed)], stream=STREAM, version=1, field="customer.updated")


@given(st.sampled_from(sorted(EVENTS)), st.binary(max_size=30) | st.from_regex(rb'\A[\[{"0-9a-z:,\]}]{0,12}\Z'))
def test_bytes_that_are_no_event_are_broken_history_and_nothing_else(type: str, payload: bytes) -> None:
    with suppress(BrokenHistory):
        KNOWN.decode(record(type, payload), key=KEY)


@pytest.mark.parametrize(
    "payload", [b"", b"1", b"null", b"[]", b"{}", b'"text"', b'{"sealed":1}', b'{"sealed":"AAAA"}', b'{"sealed":null}']
)
def test_json_of_another_shape_is_broken_history(payload: bytes) -> None:
    with pytest.raises(BrokenHistory):
        KNOWN.decode(record("customer.created", payload), key=KEY)


def test_a_type_nobody_knows_is_broken_history() -> None:
    with pytest.raises(BrokenHistory, match="unknown type"):
        KNOWN.decode(record("customer.teleported", b"{}", schema_version=1), key=None)


def test_a_schema_version_that_is_yet_to_come_is_not_guessed_at() -> None:
    with pytest.raises(BrokenHistory, match="newer"):
        KNOWN.decode(record("customer.deleted", b'{"id":"cus_1"}', schema_version=2), key=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """Made up: where somebody went. Version 1 had one text, version 2 a town that was not yet personal."""

    country: str
    town: Annotated[str, PERSONAL] = ""


def _split(old: dict[str, Any]) -> dict[str, Any]:
    country, _, town = old["where"].partition("/")
    return {"country": country, "city": town}


def _town(old: dict[str, Any]) -> dict[str, Any]:
    return {"country": old["country"], "town": old.get("city", "")}


MOVED = Codec()
MOVED.register("moved", Moved, upcasts={1: _split, 2: _town})


@pytest.mark.parametrize(
    ("schema_version", "stored"),
    [(1, b'{"where":"CH/Basel"}'), (2, b'{"city":"Basel","country":"CH"}'), (3, b'{"country":"CH","town":"Basel"}')],
)
def test_every_older_version_is_brought_up_to_date_on_read(schema_version: int, stored: bytes) -> None:
    old = record("moved", stored, schema_version=schema_version)
    assert MOVED.decode(old, key=None) == Moved(country="CH", town="Basel")


def test_an_older_version_is_brought_up_to_date_with_its_personal_part_opened() -> None:
    sealed = KEY.seal(b'{"city":"Basel"}', stream=STREAM, version=1, field="moved")
    stored = orjson.dumps({"country": "CH", "sealed": base64.b64encode(sealed).decode()})
    old = record("moved", stored, schema_version=2)
    assert MOVED.decode(old, key=KEY) == Moved(country="CH", town="Basel")
    assert MOVED.decode(old, key=None) == Moved(country="CH")


def test_an_older_version_that_nothing_brings_up_to_date_is_broken_history() -> None:
    with pytest.raises(BrokenHistory):
        MOVED.decode(record("moved", b'{"where":"CH/Basel"}', schema_version=0), key=None)


def test_an_older_version_that_is_not_what_it_was_is_broken_history() -> None:
    with pytest.raises(BrokenHistory):
        MOVED.decode(record("moved", b'{"nowhere":"CH/Basel"}', schema_version=1), key=None)


def test_the_fields_of_an_event_stand_in_alphabetical_order() -> None:
    @dataclass(frozen=True)
    class Untidy:
        b: str
        a: str

    with pytest.raises(AssertionError, match="alphabetical"):
        Codec().register("untidy", Untidy)


def test_a_streams_key_is_unwrapped_for_that_stream_alone() -> None:
    master = MasterKeys(bytes(KEY_BYTES))
    key, wrapped = master.mint(STREAM)
    assert master.unwrap(wrapped, STREAM).secret == key.secret
    assert key.secret not in wrapped
    with pytest.raises(BrokenHistory):
        master.unwrap(wrapped, "customer-cus_2")


@given(st.data())
def test_a_wrapped_key_that_was_changed_or_cut_does_not_unwrap(data: st.DataObject) -> None:
    master = MasterKeys(bytes(KEY_BYTES))
    wrapped = bytearray(master.mint(STREAM)[1])
    bit = data.draw(st.integers(0, len(wrapped) * 8 - 1))
    cut = bytes(wrapped[: bit // 8])
    wrapped[bit // 8] ^= 1 << bit % 8
    for broken in (bytes(wrapped), cut):
        with pytest.raises(BrokenHistory):
            master.unwrap(broken, STREAM)


def test_a_new_master_key_in_front_wraps_and_the_old_one_still_unwraps() -> None:
    old, new = bytes(KEY_BYTES), bytes([7]) * KEY_BYTES
    key, wrapped = MasterKeys(old).mint(STREAM)
    both = MasterKeys(new, old)
    assert both.unwrap(wrapped, STREAM).secret == key.secret
    assert MasterKeys(new).unwrap(both.wrap(key, STREAM), STREAM).secret == key.secret
    with pytest.raises(BrokenHistory, match="master key"):
        MasterKeys(new).unwrap(wrapped, STREAM)


@pytest.mark.parametrize("text", ["", "short", "AAAA", base64.b64encode(bytes(31)).decode(), "ключ", "é" * 44])
def test_a_master_key_that_is_not_32_bytes_of_base64_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        MasterKeys.parse(text)


def test_several_master_keys_are_parsed_the_newest_first() -> None:
    old, new = bytes(KEY_BYTES), bytes([7]) * KEY_BYTES
    both = MasterKeys.parse(f"{base64.b64encode(new).decode()}, {base64.b64encode(old).decode()}")
    key, wrapped = both.mint(STREAM)
    assert MasterKeys(new).unwrap(wrapped, STREAM).secret == key.secret


def _plain(payload: bytes) -> dict[str, Any]:
    return {name: value for name, value in orjson.loads(payload).items() if name != "sealed"}


def _opened(payload: bytes, type: str) -> bytes | None:
    sealed = orjson.loads(payload).get("sealed")
    return KEY.unseal(base64.b64decode(sealed), stream=STREAM, version=1, field=type) if sealed else None
