"""The decisions about a customer's tax ids, and about the account's own, as given, when, then; without doubles."""

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from events import account_tax_id
from events.account_tax_id import ACCOUNT_TAX_ID, CreateTaxId, DeleteTaxId, TaxIdCreated, TaxIdDeleted
from events.customer import CUSTOMER, CustomerCreated, CustomerDeleted, DeleteCustomer, tax_id
from events.customer.tax_id import (
    COUNT_MAX,
    AddTaxId,
    RemoveTaxId,
    TaxIdAdded,
    TaxIdRemoved,
    TaxIdVerified,
    VerifyTaxId,
)
from events.decider import Decider
from events.errors import Missing
from tests.spec import given

TAX_IDS = Decider("tax id", tax_id.NONE, tax_id.decide, tax_id.evolve)
CREATED = CustomerCreated(id="cus_1", created=1, attributes={})


def add(id: str = "txi_1", type: str = "eu_vat", value: str = "DE123456789") -> AddTaxId:
    return AddTaxId(id=id, at=5, country="DE", type=type, value=value)


def added(id: str = "txi_1", type: str = "eu_vat", value: str = "DE123456789", status: str = "pending") -> TaxIdAdded:
    return TaxIdAdded(at=5, country="DE", id=id, status=status, type=type, value=value)


VERIFIED = TaxIdVerified(id="txi_1", status="verified", verified_address="Here 1", verified_name="Ada")
VERIFY = VerifyTaxId(id="txi_1", status="verified", verified_address="Here 1", verified_name="Ada")


@pytest.mark.parametrize("type", ["au_abn", "eu_vat", "gb_vat"])
def test_a_number_that_a_registry_knows_is_pending(type: str) -> None:
    state = given(TAX_IDS).when(add(type=type)).then(added(type=type))
    assert state.by_id["txi_1"].status == "pending"


@pytest.mark.parametrize("type", ["us_ein", "ch_vat", "eu_oss_vat", "au_acn"])
def test_of_any_other_number_nothing_can_be_said(type: str) -> None:
    given(TAX_IDS).when(add(type=type)).then(added(type=type, status="unavailable"))


def test_tax_ids_are_kept_in_order_the_newest_last() -> None:
    state = given(TAX_IDS, added()).when(add("txi_2")).then(added("txi_2"))
    assert list(state.by_id) == ["txi_1", "txi_2"]


def test_there_is_room_for_fifty() -> None:
    history = [added(f"txi_{number}") for number in range(COUNT_MAX - 1)]
    given(TAX_IDS, *history).when(add("txi_x")).then(added("txi_x"))
    given(TAX_IDS, *history, added("txi_x")).when(add("txi_y")).refused()
    given(TAX_IDS, *history, added("txi_x"), TaxIdRemoved(id="txi_0")).when(add("txi_y")).then(added("txi_y"))


def test_what_came_of_its_verification_is_kept_and_said_once() -> None:
    state = given(TAX_IDS, added()).when(VERIFY).then(VERIFIED)
    assert (state.by_id["txi_1"].status, state.by_id["txi_1"].verified_name) == ("verified", "Ada")
    assert state.by_id["txi_1"].verified_address == "Here 1"
    given(TAX_IDS, added(), VERIFIED).when(VERIFY).nothing_happens()
    given(TAX_IDS, added(), VERIFIED).when(VerifyTaxId(id="txi_1", status="unverified")).nothing_happens()
    given(TAX_IDS, added(status="unavailable")).when(VERIFY).nothing_happens()


def test_one_that_stays_pending_is_as_it_was() -> None:
    given(TAX_IDS, added()).when(VerifyTaxId(id="txi_1", status="pending")).nothing_happens()


def test_it_is_removed() -> None:
    state = given(TAX_IDS, added(), added("txi_2")).when(RemoveTaxId(id="txi_1")).then(TaxIdRemoved(id="txi_1"))
    assert list(state.by_id) == ["txi_2"]


@pytest.mark.parametrize("command", [RemoveTaxId(id="txi_1"), VERIFY])
def test_what_is_not_there_is_missing(command: tax_id.Command) -> None:
    given(TAX_IDS).when(command).refused(Missing, code="resource_missing", param="id")
    given(TAX_IDS, added(), TaxIdRemoved(id="txi_1")).when(command).refused(
        Missing, code="resource_missing", param="id"
    )


def test_tax_ids_end_with_their_customer() -> None:
    given(CUSTOMER, CREATED, added(), added("txi_2")).when(DeleteCustomer(id="cus_1", at=9)).then(
        TaxIdRemoved(id="txi_1"), TaxIdRemoved(id="txi_2"), CustomerDeleted(id="cus_1")
    )


def test_nobody_has_one_who_is_not_there() -> None:
    for history in ((), (CREATED, CustomerDeleted(id="cus_1"))):
        given(CUSTOMER, *history).when(add()).refused(Missing, code="resource_missing", param="id")


IDS = st.sampled_from(["txi_1", "txi_2", "txi_3"])
STEPS = st.lists(st.tuples(st.sampled_from(["add", "remove", "verify"]), IDS), max_size=20)


@for_all(STEPS)
def test_whatever_is_asked_the_tax_ids_are_those_added_and_not_removed(steps: list[tuple[str, str]]) -> None:
    state, expected = tax_id.NONE, list[str]()
    for what, id in steps:
        if what == "add" and id in expected:
            continue  # ids of new tax ids are fresh
        commands: dict[str, tax_id.Command] = {
            "add": add(id),
            "remove": RemoveTaxId(id=id),
            "verify": VerifyTaxId(id=id, status="verified"),
        }
        try:
            events = tax_id.decide(state, commands[what])
        except Missing:
            assert id not in expected
            continue
        for event in events:
            state = tax_id.evolve(state, event)
        if what == "add":
            expected.append(id)
        elif what == "remove":
            expected.remove(id)
        assert list(state.by_id) == expected


CREATE_OWN = CreateTaxId(id="txi_1", country="GB", created=5, type="gb_vat", value="GB123456789")
OWN = TaxIdCreated(country="GB", created=5, id="txi_1", type="gb_vat", value="GB123456789")


def test_the_accounts_own_is_created_and_deleted_once() -> None:
    state = given(ACCOUNT_TAX_ID).when(CREATE_OWN).then(OWN)
    assert (state.id, state.country, state.created, state.type, state.value) == (
        "txi_1",
        "GB",
        5,
        "gb_vat",
        "GB123456789",
    )
    assert given(ACCOUNT_TAX_ID, OWN).when(DeleteTaxId(id="txi_1")).then(TaxIdDeleted(id="txi_1")).deleted
    for history in ((), (OWN, TaxIdDeleted(id="txi_1"))):
        refusal = given(ACCOUNT_TAX_ID, *history).when(DeleteTaxId(id="txi_1"))
        refusal.refused(Missing, code="resource_missing", param="id")


def test_an_account_has_its_stream_for_each() -> None:
    assert ACCOUNT_TAX_ID.stream("txi_1") == f"{account_tax_id.KIND}-txi_1"
