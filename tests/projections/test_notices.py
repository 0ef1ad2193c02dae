"""Previous attributes and the count of pending webhooks, for objects of any shape."""

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from projections.notices import notice, previous_attributes, with_pending
from tests.events.customer_store import TEST
from tests.events.strategies import texts

# Names and texts that do their best to look like the line the count stands on.
MARKER = '\n  "pending_webhooks": 0,'
names = texts | st.sampled_from(["pending_webhooks", MARKER, '"pending_webhooks": 7', "type", "data", "zzz"])
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(names, values, max_size=4).map(lambda shown: {"id": "cus_1", **shown})


def body(shown: dict[str, Any], before: dict[str, Any] | None = None) -> bytes:
    made = notice(
        "customer.updated",
        {**shown, "id": "cus_1"},
        before=before,
        stream="customer-cus_1",
        version=1,
        event=0,
        origin=TEST._replace(idempotency_key=MARKER),
        api_version="2026-10-28.endive",
    )
    return made.body


@given(objects, st.none() | objects, st.integers(0, 10_000))
def test_pending_webhooks_is_set_whatever_the_object_contains(shown: Any, before: Any, pending: int) -> None:
    stored = body(shown, before)
    made = with_pending(stored, pending)
    expected = {**orjson.loads(stored), "pending_webhooks": pending}
    assert made == orjson.dumps(expected, option=orjson.OPT_INDENT_2)


def patched(after: Any, previous: Any) -> Any:
    """`after` with what changed put back as it was."""
    undone = {**after}
    for key, old in previous.items():
        hashes = isinstance(old, dict) and isinstance(after.get(key), dict)
        undone[key] = patched(after[key], old) if hashes else old
    return undone


def without_nulls(shown: Any) -> Any:
    """Null and absent are one to previous attributes."""
    if not isinstance(shown, dict):
        return shown
    return {key: without_nulls(value) for key, value in shown.items() if value is not None}


@given(objects, objects)
def test_what_changed_put_back_gives_what_was(before: Any, after: Any) -> None:
    previous = previous_attributes(before, after)
    assert without_nulls(patched(after, previous)) == without_nulls(before)


@given(objects)
def test_what_did_not_change_is_no_previous_attribute(shown: Any) -> None:
    assert previous_attributes(shown, shown) == {}


@given(objects, objects)
def test_only_what_changed_is_a_previous_attribute(before: Any, after: Any) -> None:
    for key, old in previous_attributes(before, after).items():
        assert before.get(key) != after.get(key)
        assert isinstance(old, dict) or old == before.get(key)


def test_a_new_key_was_null_before() -> None:
    assert previous_attributes({"metadata": {}}, {"metadata": {"tier": "gold"}}) == {"metadata": {"tier": None}}


def test_keys_are_in_alphabetical_order() -> None:
    assert list(previous_attributes({}, {"b": 1, "a": 1, "c": 1})) == ["a", "b", "c"]
