"""What may happen to a customer."""

from typing import Any, get_args

import pytest

from events.customer import (
    EVENT_TYPES,
    Customer,
    CustomerDeleted,
    DeleteCustomer,
    Event,
    stream,
)
from events.errors import Missing
from events.values import Address, CustomField, InvoiceSettings, RenderingOptions, Shipping
from tests.events.customer_events import CREATED, CUSTOMER, ID, PREFIX, create, created, update, updated
from tests.spec import Given, given

LONDON = Address(city="London", country="GB", line1="27 Fredrick Ave")
MANY = {f"key {number}": "text" for number in range(50)}


NEVER = given(CUSTOMER)
DELETED = given(CUSTOMER, created(email="jenny@example.com"), CustomerDeleted(id=ID))


def with_(**attributes: Any) -> Given:
    return given(CUSTOMER, created(**attributes))


def test_a_customer_is_created_with_what_was_sent_and_nothing_else() -> None:
    NEVER.when(create(email="jenny@example.com", address=LONDON)).then(
        created(email="jenny@example.com", address=LONDON)
    )


def test_a_customer_may_be_created_with_nothing_at_all() -> None:
    state: Customer = NEVER.when(create()).then(created())
    assert state.exists
    assert (state.id, state.created, state.profile.invoice_prefix) == (ID, CREATED, PREFIX)


def test_an_invoice_prefix_that_was_sent_stands_instead_of_the_minted_one() -> None:
    NEVER.when(create(invoice_prefix="ACME")).then(created(invoice_prefix="ACME"))


def test_what_is_sent_as_it_stands_by_default_is_not_recorded() -> None:
    NEVER.when(create(tax_exempt="none", email=None, preferred_locales=(), metadata={})).then(created())


@pytest.mark.parametrize("command", [update(email="new@example.com"), update(), DeleteCustomer(id=ID)])
def test_a_customer_that_never_was_is_missing(command: object) -> None:
    refusal = NEVER.when(command).refused(Missing, code="resource_missing", param="id")
    assert refusal.message == f"No such customer: '{ID}'"


@pytest.mark.parametrize("command", [update(email="new@example.com"), update(), DeleteCustomer(id=ID)])
def test_a_deleted_customer_is_missing_to_every_command(command: object) -> None:
    DELETED.when(command).refused(Missing, code="resource_missing", param="id")


def test_deleting_ends_the_customer_and_keeps_its_last_profile() -> None:
    state: Customer = with_(email="jenny@example.com").when(DeleteCustomer(id=ID)).then(CustomerDeleted(id=ID))
    assert not state.exists
    assert state.profile.email == "jenny@example.com"


def test_an_update_records_the_attributes_that_truly_change_and_no_others() -> None:
    with_(email="jenny@example.com", name="Jenny").when(update(email="new@example.com", name="Jenny")).then(
        updated(email="new@example.com")
    )


@pytest.mark.parametrize(
    "patch",
    [
        {},
        {"email": "jenny@example.com"},
        {"phone": None},
        {"address": LONDON},
        {"metadata": {"tier": "gold"}},
        {"metadata": {"never set": ""}},
        {"metadata": {}},
        {"invoice_settings": {}},
        {"invoice_settings": {"footer": "Thank you"}},
        {"next_invoice_sequence": 1},
        {"invoice_prefix": PREFIX},
        {"tax_exempt": "none"},
    ],
    ids=str,
)
def test_an_update_that_changes_nothing_records_nothing(patch: dict[str, Any]) -> None:
    customer = with_(
        email="jenny@example.com",
        address=LONDON,
        metadata={"tier": "gold"},
        invoice_settings=InvoiceSettings(footer="Thank you"),
    )
    customer.when(update(**patch)).nothing_happens()


@pytest.mark.parametrize(
    "attribute", ["address", "business_name", "description", "email", "individual_name", "name", "phone", "shipping"]
)
def test_an_attribute_is_unset_by_none(attribute: str) -> None:
    standing = {"address": LONDON, "shipping": Shipping(address=LONDON, name="Jenny")}.get(attribute, "something")
    state: Customer = (
        with_(**{attribute: standing}).when(update(**{attribute: None})).then(updated(**{attribute: None}))
    )
    assert getattr(state.profile, attribute) is None


def test_an_address_is_replaced_whole() -> None:
    paris = Address(city="Paris")
    state: Customer = with_(address=LONDON).when(update(address=paris)).then(updated(address=paris))
    assert state.profile.address == Address(city="Paris", country=None, line1=None)


def test_metadata_merges_by_key_and_is_recorded_whole() -> None:
    with_(metadata={"tier": "gold", "team": "blue"}).when(update(metadata={"tier": "silver", "since": "2023"})).then(
        updated(metadata={"since": "2023", "team": "blue", "tier": "silver"})
    )


def test_an_empty_text_deletes_a_metadata_key() -> None:
    with_(metadata={"tier": "gold", "team": "blue"}).when(update(metadata={"tier": ""})).then(
        updated(metadata={"team": "blue"})
    )


def test_no_metadata_at_all_deletes_every_key() -> None:
    with_(metadata={"tier": "gold", "team": "blue"}).when(update(metadata=None)).then(updated(metadata={}))


def test_metadata_stands_in_the_order_in_which_it_is_stored() -> None:
    state: Customer = (
        with_(metadata={"b": "2"})
        .when(update(metadata={"é": "4", "a": "1", "c": "3"}))
        .then(updated(metadata={"a": "1", "b": "2", "c": "3", "é": "4"}))
    )
    assert list(state.profile.metadata) == ["a", "b", "c", "é"]


def test_fifty_metadata_keys_are_taken() -> None:
    NEVER.when(create(metadata=MANY)).then(created(metadata=MANY))


@pytest.mark.parametrize("customer", [NEVER, with_(metadata=MANY)], ids=["on create", "on update"])
def test_a_fifty_first_metadata_key_is_refused(customer: Given) -> None:
    make = update if customer.history else create
    refusal = customer.when(make(metadata={**MANY, "one more": "text"})).refused(param="metadata")
    assert refusal.message == "Metadata can have up to 50 keys, but you've set 51."


def test_a_metadata_key_may_be_swapped_for_another_at_the_limit() -> None:
    outcome = {key: text for key, text in MANY.items() if key != "key 0"} | {"new": "text"}
    with_(metadata=MANY).when(update(metadata={"key 0": "", "new": "text"})).then(updated(metadata=outcome))


def test_invoice_settings_merge_by_sub_key() -> None:
    fields = (CustomField(name="PO", value="42"),)
    with_(invoice_settings=InvoiceSettings(footer="Thank you")).when(
        update(invoice_settings={"custom_fields": fields})
    ).then(updated(invoice_settings=InvoiceSettings(footer="Thank you", custom_fields=fields)))


def test_an_invoice_setting_is_cleared_by_none() -> None:
    standing = InvoiceSettings(footer="Thank you", rendering_options=RenderingOptions(template="inrtem_123"))
    with_(invoice_settings=standing).when(update(invoice_settings={"rendering_options": None})).then(
        updated(invoice_settings=InvoiceSettings(footer="Thank you"))
    )


def test_rendering_options_are_replaced_whole() -> None:
    standing = InvoiceSettings(rendering_options=RenderingOptions(template="inrtem_123"))
    options = RenderingOptions(amount_tax_display="exclude_tax")
    with_(invoice_settings=standing).when(update(invoice_settings={"rendering_options": options})).then(
        updated(invoice_settings=InvoiceSettings(rendering_options=options))
    )


def test_the_invoice_sequence_moves_forward() -> None:
    with_(next_invoice_sequence=7).when(update(next_invoice_sequence=8)).then(updated(next_invoice_sequence=8))


def test_the_invoice_sequence_never_runs_backwards() -> None:
    refusal = (
        with_(next_invoice_sequence=7).when(update(next_invoice_sequence=6)).refused(param="next_invoice_sequence")
    )
    assert "greater than or equal to 7" in refusal.message


def test_a_refused_update_changes_nothing_of_what_came_with_it() -> None:
    with_(next_invoice_sequence=7).when(update(next_invoice_sequence=6, email="new@example.com")).refused(
        param="next_invoice_sequence"
    )


def test_a_customers_stream_is_named_after_it() -> None:
    assert stream(ID) == f"customer-{ID}" == CUSTOMER.stream(ID)


def test_every_event_that_is_stored_is_one_that_is_folded() -> None:
    assert set(EVENT_TYPES.values()) == set(get_args(Event))
