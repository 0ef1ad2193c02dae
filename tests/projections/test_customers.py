"""A customer as the API shows it, and the row and notices that a change leaves."""

from functools import reduce
from typing import Any

import orjson
import pytest

from events import customer
from events.customer import NOBODY, Customer, CustomerCreated, CustomerDeleted, CustomerUpdated
from events.decider import Change
from events.values import Address, InvoiceSettings, RenderingOptions, Shipping
from projections.customers import CustomerProjection, body, render
from projections.rows import Rows
from tests.events.customer_store import TEST
from tests.events.samples.customer import ATTRIBUTES

ID = "cus_NffrFeUfNV2Hib"
CREATED = CustomerCreated(id=ID, created=1_700_000_000, attributes={"invoice_prefix": "0A1B2C3D"})
PROJECTION = CustomerProjection("2026-10-28.endive")

BARE = b"""{
  "id": "cus_NffrFeUfNV2Hib",
  "object": "customer",
  "address": null,
  "balance": 0,
  "created": 1700000000,
  "currency": null,
  "default_source": null,
  "delinquent": false,
  "description": null,
  "discount": null,
  "email": null,
  "invoice_prefix": "0A1B2C3D",
  "invoice_settings": {
    "custom_fields": null,
    "default_payment_method": null,
    "footer": null,
    "rendering_options": null
  },
  "livemode": false,
  "metadata": {},
  "name": null,
  "next_invoice_sequence": 1,
  "phone": null,
  "preferred_locales": [],
  "shipping": null,
  "tax_exempt": "none",
  "test_clock": null
}"""


def state(*events: Any) -> Customer:
    return reduce(customer.evolve, events, NOBODY)


def change(*events: Any, since: int = 0) -> Change[Customer]:
    """The change that the events from `since` on made."""
    steps = [(event, state(*events[: number + 1])) for number, event in enumerate(events)]
    return Change(
        kind=customer.KIND,
        stream=customer.stream(ID),
        before=state(*events[:since]),
        after=state(*events),
        version=len(events),
        steps=steps[since:],
        origin=TEST._replace(idempotency_key="again"),
    )


def notices(rows: Rows) -> list[Any]:
    return [orjson.loads(notice.body) for notice in rows.notices]


def test_a_customer_of_whom_nothing_is_known_has_exactly_these_keys_in_this_order() -> None:
    assert body(state(CREATED), False) == BARE


def test_a_customer_of_whom_everything_is_known_shows_all_of_it() -> None:
    shown = render(state(CREATED, CustomerUpdated(attributes=ATTRIBUTES)), True)
    assert list(shown)[:2] == ["id", "object"]
    assert list(shown)[2:] == sorted(list(shown)[2:])
    assert set(shown) == set(orjson.loads(BARE)) | {"business_name", "individual_name"}
    assert shown["livemode"] is True
    address = ["city", "country", "line1", "line2", "postal_code", "state"]
    assert list(shown["address"]) == address
    assert list(shown["shipping"]) == ["address", "name", "phone"]
    assert list(shown["shipping"]["address"]) == address
    assert list(shown["invoice_settings"]) == [
        "custom_fields",
        "default_payment_method",
        "footer",
        "rendering_options",
    ]
    assert shown["invoice_settings"]["custom_fields"][0] == {"name": "PO", "value": "42"}
    assert shown["invoice_settings"]["rendering_options"] == {
        "amount_tax_display": "exclude_tax",
        "template": "inrtem_123",
    }
    plain = orjson.loads(body(state(CREATED, CustomerUpdated(attributes=ATTRIBUTES)), True))
    for name, value in orjson.loads(orjson.dumps(ATTRIBUTES)).items():
        if name not in ("default_payment_method", "invoice_settings"):
            assert plain[name] == value


def test_an_address_shows_all_six_parts_whatever_was_set() -> None:
    shown = render(state(CREATED, CustomerUpdated(attributes={"address": Address(city="")})), False)
    assert shown["address"] == {
        "city": "",
        "country": None,
        "line1": None,
        "line2": None,
        "postal_code": None,
        "state": None,
    }


def test_a_deleted_customer_shows_that_it_was_and_is_no_more() -> None:
    assert body(state(CREATED, CustomerDeleted(id=ID)), False) == (
        b'{\n  "id": "cus_NffrFeUfNV2Hib",\n  "object": "customer",\n  "deleted": true\n}'
    )


def test_a_creation_leaves_a_row_and_the_notice_of_it() -> None:
    rows = PROJECTION.rows(change(CREATED))
    [row] = rows.customers
    assert (row.id, row.account, row.livemode, row.version, row.deleted) == (ID, "acct_1", False, 1, False)
    assert (row.created, row.email, row.invoice_prefix, row.body) == (1_700_000_000, None, "0A1B2C3D", BARE)
    [notice] = rows.notices
    assert (notice.event, notice.version, notice.type, notice.object_id) == (0, 1, "customer.created", ID)
    assert orjson.loads(notice.body) == {
        "id": notice.id,
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": int(TEST.at.timestamp()),
        "data": {"object": orjson.loads(BARE)},
        "livemode": False,
        "pending_webhooks": 0,
        "request": {"id": "req_1", "idempotency_key": "again"},
        "type": "customer.created",
    }


def test_a_deletion_releases_the_prefix_and_the_email_and_publishes_the_last_state() -> None:
    rows = PROJECTION.rows(
        change(CREATED, CustomerUpdated(attributes={"email": "jenny@example.com"}), CustomerDeleted(id=ID), since=2)
    )
    [row] = rows.customers
    assert (row.deleted, row.email, row.invoice_prefix) == (True, None, None)
    [notice] = notices(rows)
    assert notice["type"] == "customer.deleted"
    assert notice["data"]["object"]["email"] == "jenny@example.com"
    assert "deleted" not in notice["data"]["object"]
    assert "previous_attributes" not in notice["data"]


def test_a_change_of_several_events_is_published_once_with_all_that_it_changed() -> None:
    events = (
        CREATED,
        CustomerUpdated(attributes={"name": "Jenny"}),
        CustomerUpdated(attributes={"name": "Jen", "phone": "1"}),
    )
    [created] = notices(PROJECTION.rows(change(*events)))
    assert (created["type"], created["data"]["object"]["name"]) == ("customer.created", "Jen")
    rows = PROJECTION.rows(change(*events, since=1))
    [updated] = notices(rows)
    assert (updated["type"], updated["data"]["previous_attributes"]) == (
        "customer.updated",
        {"name": None, "phone": None},
    )
    assert [(notice.event, notice.version) for notice in rows.notices] == [(0, 2)]


def test_a_change_that_leaves_everything_as_it_was_is_not_published() -> None:
    events = (CREATED, CustomerUpdated(attributes={"name": "Jenny"}), CustomerUpdated(attributes={"name": None}))
    assert PROJECTION.rows(change(*events, since=1)).notices == ()


def test_ids_of_notices_follow_from_the_log_alone() -> None:
    events = (CREATED, CustomerUpdated(attributes={"name": "Jenny"}), CustomerDeleted(id=ID))
    given = [
        PROJECTION.rows(change(*events[: number + 1], since=number)).notices[0].id for number in range(len(events))
    ]
    assert len(set(given)) == 3
    assert all(id.startswith("evt_") and len(id) == 28 and id[4:].isalnum() for id in given)
    assert given[0] == "evt_VSqo79xw2fDKGWVzFu6Hx67D"


def test_a_change_that_nobody_requested_says_so() -> None:
    system = change(CREATED)._replace(origin=TEST._replace(request_id=None, actor="system"))
    [notice] = notices(PROJECTION.rows(system))
    assert notice["request"] is None


# Captured answers of the public API, and its reference: the event object, previous_attributes.
SHIPPING = Shipping(address=Address(city="Paris"), name="Jenny", phone="1")


@pytest.mark.parametrize(
    ("before", "after", "previous"),
    [
        ({"email": "old"}, {"email": "new"}, {"email": "old"}),
        ({}, {"email": "new"}, {"email": None}),
        ({"email": "old"}, {"email": None}, {"email": "old"}),
        ({}, {"metadata": {"tier": "gold"}}, {"metadata": {"tier": None}}),
        (
            {"metadata": {"team": "blue", "tier": "gold"}},
            {"metadata": {"team": "blue", "tier": "silver"}},
            {"metadata": {"tier": "gold"}},
        ),
        ({"metadata": {"a": "1", "b": "2"}}, {"metadata": {"a": "1"}}, {"metadata": {"b": "2"}}),
        ({"preferred_locales": ("de", "en")}, {"preferred_locales": ("en",)}, {"preferred_locales": ["de", "en"]}),
        ({}, {"address": Address(city="Paris")}, {"address": None}),
        (
            {"address": Address(city="Paris", country="FR")},
            {"address": Address(city="Lyon", country="FR")},
            {"address": {"city": "Paris"}},
        ),
        (
            {"address": Address(city="Paris")},
            {"address": None},
            {
                "address": {
                    "city": "Paris",
                    "country": None,
                    "line1": None,
                    "line2": None,
                    "postal_code": None,
                    "state": None,
                }
            },
        ),
        (
            {"shipping": SHIPPING},
            {"shipping": Shipping(address=Address(city="Lyon"), name="Jenny", phone=None)},
            {"shipping": {"address": {"city": "Paris"}, "phone": "1"}},
        ),
        ({}, {"invoice_settings": InvoiceSettings(footer="Thanks")}, {"invoice_settings": {"footer": None}}),
        (
            {"invoice_settings": InvoiceSettings(rendering_options=RenderingOptions(template="a"))},
            {"invoice_settings": InvoiceSettings(rendering_options=RenderingOptions(template="b"))},
            {"invoice_settings": {"rendering_options": {"template": "a"}}},
        ),
        ({}, {"business_name": "Rosen"}, {"business_name": None}),
        ({"business_name": "Rosen"}, {"business_name": None}, {"business_name": "Rosen"}),
        ({}, {"name": "b", "next_invoice_sequence": 2}, {"name": None, "next_invoice_sequence": 1}),
    ],
)
def test_previous_attributes_of_an_update_are_what_changed_as_it_was(before: Any, after: Any, previous: Any) -> None:
    events = (CREATED, CustomerUpdated(attributes=before), CustomerUpdated(attributes=after))
    [notice] = notices(PROJECTION.rows(change(*events, since=2)))
    assert notice["data"]["previous_attributes"] == previous
    assert list(notice["data"]["previous_attributes"]) == sorted(previous)
