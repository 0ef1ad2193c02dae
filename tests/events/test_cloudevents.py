"""An event of the log as a line of CloudEvents."""

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events import chain, cloudevents
from events.cloudevents import NotALine
from events.record import Origin, Record

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
ORIGINS = st.builds(
    Origin,
    account=st.from_regex(r"[A-Za-z0-9_-]{1,20}", fullmatch=True),
    livemode=st.booleans(),
    at=st.integers(0, 2**51).map(lambda microseconds: EPOCH + timedelta(microseconds=microseconds)),
    actor=words,
    request_id=st.none() | words,
    idempotency_key=st.none() | words,
    correlation_id=st.none() | words,
    causation_id=st.none() | words,
    traceparent=st.none(),
)
RECORDS = st.builds(
    Record,
    position=st.integers(1, 2**62),
    stream=words,
    version=st.integers(1, 2**62),
    type=words,
    schema_version=st.integers(1, 99),
    payload=st.binary(max_size=50),
    hash=st.binary(min_size=32, max_size=32),
    origin=ORIGINS,
)
RECORD = Record(
    position=812,
    stream="customer-cus_1",
    version=3,
    type="customer.deleted",
    schema_version=1,
    payload=b'{"id":"cus_1"}',
    hash=bytes(32),
    origin=Origin("acct_1", True, datetime(2026, 11, 27, 12, tzinfo=UTC), "key_1", request_id="req_1"),
)


@settings(max_examples=30)
@given(RECORDS)
def test_a_line_is_read_as_the_event_that_it_was_written_of(record: Record) -> None:
    assert cloudevents.parse(cloudevents.line(record)) == record


@settings(max_examples=30)
@given(RECORDS)
def test_the_hash_is_computed_from_a_line_with_the_standard_library_alone(record: Record) -> None:
    line = json.loads(cloudevents.line(record))
    _, _, account, mode = line["source"].split("/")
    at = datetime.strptime(line["time"], "%Y-%m-%dT%H:%M:%S.%f%z") - EPOCH
    header = [
        line["subject"],
        int(line["streamversion"]),
        line["type"],
        line["schemaversion"],
        account,
        mode == "live",
        at.days * 86_400_000_000 + at.seconds * 1_000_000 + at.microseconds,
        line["actor"],
        line.get("requestid"),
        line.get("idempotencykey"),
        line.get("correlationid"),
        line.get("causationid"),
    ]
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    digest = hashlib.sha256(bytes(32) + text + b"\n" + base64.b64decode(line["data_base64"])).digest()
    assert digest == chain.link(
        bytes(32),
        stream=record.stream,
        version=record.version,
        type=record.type,
        schema_version=record.schema_version,
        payload=record.payload,
        origin=record.origin,
    )


def test_a_line_is_canonical() -> None:
    assert cloudevents.line(RECORD) == (
        b'{"actor":"key_1","data_base64":"eyJpZCI6ImN1c18xIn0=","datacontenttype":"application/json","hash":"'
        + b"0" * 64
        + b'","id":"812","position":"812","requestid":"req_1","schemaversion":1,"source":"/accounts/acct_1/live",'
        b'"specversion":"1.0","streamversion":"3","subject":"customer-cus_1","time":"2026-11-27T12:00:00.000000Z",'
        b'"type":"customer.deleted"}\n'
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"actor"', b' "actor"'),
        (b"}\n", b"}"),
        (b"}\n", b"}\n\n"),
        (b'"id":"812"', b'"id":"813"'),
        (b'"position":"812"', b'"position":"0812"'),
        (b'"schemaversion":1', b'"schemaversion":"1"'),
        (b'"specversion":"1.0"', b'"specversion":"2.0"'),
        (b"000000Z", b"00Z"),
        (b"/accounts/acct_1/live", b"/accounts/acct_1/dead"),
        (b'"type"', b'"more":1,"type"'),
        (b'{"actor":"key_1",', b"{"),
        (b"eyJp", b"e yJ"),
    ],
)
def test_anything_else_is_no_line(old: bytes, new: bytes) -> None:
    with pytest.raises(NotALine):
        cloudevents.parse(cloudevents.line(RECORD).replace(old, new))


@given(st.binary(max_size=60) | st.recursive(st.none() | st.text(), st.lists).map(lambda v: json.dumps(v).encode()))
def test_nothing_that_is_read_raises_anything_else(text: bytes) -> None:
    with pytest.raises(NotALine):
        cloudevents.parse(text)
