"""The chain breaks where history was touched, and nowhere else."""

from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events import chain
from events.memory import MemoryLog
from events.record import Record
from tests.events.appends import ORIGIN, append

COUNT = 5


async def written() -> list[Record]:
    log = MemoryLog()
    await log.append(append("note-1", 0, *map(str, range(COUNT))))
    return list((await log.load("note-1")).records)


async def test_a_stream_as_it_was_written_chains() -> None:
    assert chain.first_break(await written()) is None


def test_a_stream_of_nothing_chains() -> None:
    assert chain.first_break([]) is None


async def test_any_part_of_a_stream_chains_to_the_part_before_it() -> None:
    records = await written()
    assert chain.first_break(records[2:], records[1].hash, records[1].version) is None


def test_a_link_is_the_sha_256_of_the_hash_before_the_header_and_the_payload() -> None:
    link = chain.link(
        chain.START,
        stream="customer-cus_1",
        version=1,
        type="customer.deleted",
        schema_version=1,
        payload=b'{"id":"cus_1"}',
        origin=ORIGIN,
    )
    header = b'["customer-cus_1",1,"customer.deleted",1,"acct_1",false,1780315200123456,"key_1","req_1",null,null,null]'
    assert link == sha256(bytes(32) + header + b'\n{"id":"cus_1"}').digest()
    assert link.hex() == "77c56ee96ee7b3bd3567c26465e62d5d510ac2869c8291985d791b6fd69c272d"


CHANGES: dict[str, Any] = {
    "stream": "note-2",
    "version": 99,
    "type": "noted otherwise",
    "schema_version": 2,
    "payload": b'{"note":"x"}',
    "hash": bytes(32),
    "origin": None,
}
ORIGIN_CHANGES: dict[str, Any] = {
    "account": "acct_2",
    "livemode": True,
    "at": ORIGIN.at + timedelta(microseconds=1),
    "actor": "key_2",
    "request_id": "req_2",
    "idempotency_key": "again",
    "correlation_id": "because",
    "causation_id": "therefore",
}


def test_every_field_of_a_record_but_its_position_is_tried_here() -> None:
    assert set(CHANGES) | {"position"} == set(Record._fields)
    assert set(ORIGIN_CHANGES) | {"traceparent"} == set(ORIGIN._fields), "the trace is not stored with the event"


@pytest.mark.parametrize("field", [*(name for name in CHANGES if name != "origin"), *ORIGIN_CHANGES])
@pytest.mark.parametrize("version", [1, 3, COUNT])
async def test_a_change_to_any_field_breaks_the_chain_where_it_was_made(field: str, version: int) -> None:
    records = await written()
    record = records[version - 1]
    if field in CHANGES:
        changed = record._replace(**{field: CHANGES[field]})
    else:
        changed = record._replace(origin=record.origin._replace(**{field: ORIGIN_CHANGES[field]}))
    records[version - 1] = changed
    assert chain.first_break(records) == version


async def test_the_position_is_not_part_of_the_chain() -> None:
    records = [record._replace(position=record.position + 7) for record in await written()]
    assert chain.first_break(records) is None


@given(st.data())
async def test_a_stream_that_lacks_repeats_or_swaps_events_does_not_chain(data: st.DataObject) -> None:
    records = await written()
    chosen = data.draw(st.lists(st.sampled_from(range(COUNT)), max_size=COUNT + 2))
    tampered = [records[index] for index in chosen]
    intact = chosen == list(range(len(chosen)))  # a stream cut at its end still chains: see events.stream
    assert (chain.first_break(tampered) is None) == intact


@given(
    st.text(st.characters(codec="utf-8"), max_size=5),
    st.text(st.characters(codec="utf-8"), max_size=5),
    st.binary(max_size=8),
)
def test_text_does_not_wander_between_fields_and_keep_the_hash(actor: str, type: str, payload: bytes) -> None:
    def link(actor: str, type: str, payload: bytes) -> bytes:
        origin = ORIGIN._replace(actor=actor)
        return chain.link(
            chain.START, stream="note-1", version=1, type=type, schema_version=1, payload=payload, origin=origin
        )

    base = link(actor, type, payload)
    assert base != link(actor + "x", type, payload)
    assert (base == link(type, actor, payload)) == (actor == type)
    assert base != link(actor, type, b"\n" + payload)
