"""The decisions about a customer's cards and bank accounts, as given, when, then; without doubles."""

from dataclasses import replace

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from events.card import TRAITS, BankAccount, Card, attached, luhn
from events.codec import Codec
from events.customer import CUSTOMER, CustomerCreated, CustomerDeleted, DeleteCustomer, source
from events.customer.source import (
    COUNT_MAX,
    AttachSource,
    BankAccountAttached,
    BankAccountVerificationFailed,
    BankAccountVerified,
    CardAttached,
    CardExpiring,
    DefaultSourceSet,
    EditSource,
    NoteExpiry,
    RemoveSource,
    SetDefaultSource,
    SourceEdited,
    SourceRemoved,
    VerifyBankAccount,
    last_day,
)
from events.decider import Decider
from events.errors import Declined, Missing, Refusal
from events.personal import SubjectKey
from events.values import Address
from tests.spec import given

SOURCES = Decider("source", source.NONE, source.decide, source.evolve)
AT = 1_700_000_000
CARD = Card(brand="visa", exp_month=2, exp_year=2028, fingerprint="f" * 16, last4="4242", name="Jenny")
ACCOUNT = BankAccount(country="US", currency="usd", last4="6789")
LAST_DAY = 1_835_395_200  # 2028-02-29


def attach(id: str = "card_1", kept: source.Kept = CARD, *, replaces: bool = False, **metadata: str) -> AttachSource:
    return AttachSource(id=id, at=AT, kept=kept, metadata=metadata, replaces=replaces, token="tok_1")


def has(id: str = "card_1", *, default: bool = False, card: Card = CARD, **metadata: str) -> CardAttached:
    return CardAttached(at=AT, card=card, default=default, id=id, metadata=metadata, token="tok_1")


def has_account(id: str = "ba_1", *, default: bool = False, account: BankAccount = ACCOUNT) -> BankAccountAttached:
    return BankAccountAttached(at=AT, bank_account=account, default=default, id=id, metadata={}, token="tok_1")


def test_the_first_becomes_the_default_and_later_ones_do_not() -> None:
    first = given(SOURCES).when(attach(tier="gold", none="")).then(has(default=True, tier="gold"))
    assert first.default == "card_1"
    second = given(SOURCES, has(default=True)).when(attach("ba_1", ACCOUNT)).then(has_account())
    assert (second.default, list(second.by_id)) == ("card_1", ["card_1", "ba_1"])


def test_one_that_replaces_becomes_the_default_and_the_one_before_goes() -> None:
    history = (has(default=True), has("card_2"))
    state = (
        given(SOURCES, *history)
        .when(attach("card_3", replaces=True))
        .then(has("card_3", default=True), SourceRemoved(at=AT, default="card_3", id="card_1"))
    )
    assert (state.default, list(state.by_id)) == ("card_3", ["card_2", "card_3"])
    given(SOURCES).when(attach(replaces=True)).then(has(default=True))


def test_when_the_default_is_removed_the_one_added_last_becomes_the_default() -> None:
    history = (has(default=True), has("card_2"), has("card_3"))
    state = (
        given(SOURCES, *history)
        .when(RemoveSource(id="card_1", at=AT))
        .then(SourceRemoved(at=AT, default="card_3", id="card_1"))
    )
    assert state.default == "card_3"
    given(SOURCES, *history).when(RemoveSource(id="card_2", at=AT)).then(
        SourceRemoved(at=AT, default="card_1", id="card_2")
    )
    last = given(SOURCES, has(default=True)).when(RemoveSource(id="card_1", at=AT))
    assert last.then(SourceRemoved(at=AT, default=None, id="card_1")) == source.NONE


def test_another_is_made_the_default_once() -> None:
    history = (has(default=True), has("card_2"))
    given(SOURCES, *history).when(SetDefaultSource(id="card_2")).then(DefaultSourceSet(id="card_2"))
    given(SOURCES, *history).when(SetDefaultSource(id="card_1")).nothing_happens()


@pytest.mark.parametrize("trait", [name for name, trait in TRAITS.items() if trait.code is not None])
def test_a_card_that_is_no_good_is_declined(trait: str) -> None:
    known = TRAITS[trait]
    refusal = (
        given(SOURCES)
        .when(attach(kept=replace(CARD, trait=trait)))
        .refused(Declined, code=known.code, param=known.param)
    )
    assert isinstance(refusal, Declined)
    assert refusal.decline_code == known.decline_code


def test_checks_that_were_open_are_made_when_a_card_is_attached() -> None:
    asked = replace(CARD, cvc_check="unchecked", address_line1_check="unchecked", address_zip_check="unchecked")

    def checks(trait: str | None) -> tuple[str | None, ...]:
        card = attached(replace(asked, trait=trait))
        return card.cvc_check, card.address_line1_check, card.address_zip_check

    assert checks(None) == ("pass", "pass", "pass")
    assert checks("cvc_fails") == ("fail", "pass", "pass")
    assert checks("address_fails") == ("pass", "fail", "fail")
    assert checks("line1_fails") == ("pass", "fail", "pass")
    assert checks("zip_fails") == ("pass", "pass", "fail")
    assert checks("address_unavailable") == ("pass", "unavailable", "unavailable")
    assert attached(CARD) == CARD, "what was not sent is not checked"


def test_a_customer_has_five_hundred_of_them_at_most() -> None:
    full = (has(default=True), *(has(f"card_{n}") for n in range(2, COUNT_MAX + 1)))
    given(SOURCES, *full).when(attach("card_x")).refused(code="customer_max_payment_methods")
    state = (
        given(SOURCES, *full)
        .when(attach("card_x", replaces=True))
        .then(has("card_x", default=True), SourceRemoved(at=AT, default="card_x", id="card_1"))
    )
    assert len(state.by_id) == COUNT_MAX


def test_an_edit_records_only_what_truly_changed() -> None:
    history = has(default=True, tier="gold")
    given(SOURCES, history).when(
        EditSource(id="card_1", patch={"name": "Ada", "exp_month": 2, "address": {"city": "Bern"}})
    ).then(SourceEdited(attributes={"address": Address(city="Bern"), "name": "Ada"}, id="card_1"))
    given(SOURCES, history).when(EditSource(id="card_1", patch={"metadata": {"tier": "", "a": "b"}})).then(
        SourceEdited(attributes={"metadata": {"a": "b"}}, id="card_1")
    )
    given(SOURCES, history).when(EditSource(id="card_1", patch={"name": "Jenny", "metadata": {}})).nothing_happens()


def test_parts_of_an_address_are_changed_one_by_one() -> None:
    history = has(default=True, card=replace(CARD, address=Address(city="Bern", country="CH")))
    given(SOURCES, history).when(EditSource(id="card_1", patch={"address": {"city": None}})).then(
        SourceEdited(attributes={"address": Address(country="CH")}, id="card_1")
    )


def test_each_kind_has_attributes_of_its_own() -> None:
    given(SOURCES, has(default=True)).when(EditSource(id="card_1", patch={"account_holder_name": "x"})).refused(
        param="account_holder_name"
    )
    given(SOURCES, has_account(default=True)).when(EditSource(id="ba_1", patch={"exp_year": 2040})).refused(
        param="exp_year"
    )
    state = (
        given(SOURCES, has_account(default=True))
        .when(EditSource(id="ba_1", patch={"account_holder_type": "company"}))
        .then(SourceEdited(attributes={"account_holder_type": "company"}, id="ba_1"))
    )
    assert state.by_id["ba_1"].kept.account_holder_type == "company"


@pytest.mark.parametrize("amounts", [(32, 45), (45, 32)])
def test_a_bank_account_is_verified_by_what_it_was_sent(amounts: tuple[int, ...]) -> None:
    state = (
        given(SOURCES, has_account(default=True))
        .when(VerifyBankAccount(id="ba_1", amounts=amounts))
        .then(BankAccountVerified(id="ba_1"))
    )
    assert state.by_id["ba_1"].kept.status == "verified"


@pytest.mark.parametrize("amounts", [(), (32,), (32, 32), (32, 45, 45), (1, 2)])
def test_other_amounts_do_not_verify_it_and_are_counted(amounts: tuple[int, ...]) -> None:
    wrong = VerifyBankAccount(id="ba_1", amounts=amounts)
    failed = BankAccountVerificationFailed(id="ba_1")
    account = has_account(default=True)
    state = given(SOURCES, account, failed).when(wrong).then(failed)
    assert state.by_id["ba_1"].kept.status == "new"
    state = given(SOURCES, account, failed, failed).when(wrong).then(failed)
    assert state.by_id["ba_1"].kept.status == "verification_failed"
    right = VerifyBankAccount(id="ba_1", amounts=(32, 45))
    given(SOURCES, account, failed, failed, failed).when(right).refused(
        Declined, code="bank_account_verification_failed"
    )


def test_what_is_verified_or_a_card_is_not_verified() -> None:
    verified = has_account(default=True, account=replace(ACCOUNT, status="verified"))
    given(SOURCES, verified).when(VerifyBankAccount(id="ba_1", amounts=(32, 45))).refused(param="amounts")
    given(SOURCES, has(default=True)).when(VerifyBankAccount(id="card_1", amounts=(32, 45))).refused(param="id")


def test_that_a_card_is_about_to_expire_is_noted_once_on_the_last_day() -> None:
    assert last_day(2028, 2) == LAST_DAY
    history = (has(default=True),)
    note = NoteExpiry(id="card_1", at=LAST_DAY)
    given(SOURCES, *history).when(NoteExpiry(id="card_1", at=LAST_DAY - 1)).nothing_happens()
    given(SOURCES, *history).when(note).then(CardExpiring(id="card_1"))
    given(SOURCES, *history, CardExpiring(id="card_1")).when(note).nothing_happens()
    later = SourceEdited(attributes={"exp_year": 2029}, id="card_1")
    given(SOURCES, *history, CardExpiring(id="card_1"), later).when(note).nothing_happens()
    given(SOURCES, *history, CardExpiring(id="card_1"), later).when(NoteExpiry(id="card_1", at=last_day(2029, 2))).then(
        CardExpiring(id="card_1")
    )
    renamed = SourceEdited(attributes={"name": "Ada"}, id="card_1")
    given(SOURCES, *history, CardExpiring(id="card_1"), renamed).when(note).nothing_happens()
    given(SOURCES, has_account(default=True)).when(NoteExpiry(id="ba_1", at=LAST_DAY)).nothing_happens()
    given(SOURCES).when(note).nothing_happens()


def test_what_is_not_there_is_missing() -> None:
    for command in (
        EditSource(id="card_x", patch={}),
        RemoveSource(id="card_x", at=AT),
        SetDefaultSource(id="card_x"),
        VerifyBankAccount(id="card_x", amounts=()),
    ):
        given(SOURCES, has(default=True)).when(command).refused(Missing, code="resource_missing", param="id")


def test_they_end_with_the_customer_the_default_last() -> None:
    created = CustomerCreated(id="cus_1", created=1, attributes={})
    given(CUSTOMER, created, has(default=True), has("card_2")).when(DeleteCustomer(id="cus_1", at=7)).then(
        SourceRemoved(at=7, default="card_1", id="card_2"),
        SourceRemoved(at=7, default=None, id="card_1"),
        CustomerDeleted(id="cus_1"),
    )


def test_nobody_has_one_who_is_not_there() -> None:
    created = CustomerCreated(id="cus_1", created=1, attributes={})
    for history in ((), (created, CustomerDeleted(id="cus_1"))):
        given(CUSTOMER, *history).when(attach()).refused(Missing, code="resource_missing", param="id")


@for_all(st.lists(st.tuples(st.sampled_from(["attach", "replace", "remove", "default"]), st.integers(0, 4))))
def test_the_default_is_always_one_of_them_and_there_is_none_only_without_any(asked: list[tuple[str, int]]) -> None:
    state = source.NONE
    for number, (what, which) in enumerate(asked):
        ids = list(state.by_id) or ["card_x"]
        id = ids[which % len(ids)]
        commands: dict[str, source.Command] = {
            "attach": attach(f"card_{number}"),
            "replace": attach(f"card_{number}", replaces=True),
            "remove": RemoveSource(id=id, at=AT),
            "default": SetDefaultSource(id=id),
        }
        before = state
        try:
            events = source.decide(state, commands[what])
        except Refusal:
            assert not state.by_id
            continue
        for event in events:
            state = source.evolve(state, event)
        assert (state.default in state.by_id) if state.by_id else state.default is None
        if what == "replace":
            assert state.default == f"card_{number}"
            assert before.default not in state.by_id
        if what == "remove" and id != before.default:
            assert state.default == before.default


@for_all(st.text("0123456789", min_size=1, max_size=18), st.integers(0, 17), st.integers(1, 9))
def test_one_wrong_digit_is_always_found(digits: str, index: int, by: int) -> None:
    check = next(str(digit) for digit in range(10) if luhn(f"{digits}{digit}"))
    right = digits + check
    index %= len(right)
    wrong = right[:index] + str((int(right[index]) + by) % 10) + right[index + 1 :]
    assert luhn(right)
    assert not luhn(wrong)


def test_what_is_kept_of_a_card_is_sealed_and_can_be_forgotten() -> None:
    codec = Codec()
    codec.register("customer.card_attached", CardAttached)
    stored = codec.encode(has(default=True, owner="Jenny"), key=SubjectKey(bytes(32)), stream="customer-1", version=1)
    for personal in (b"Jenny", b"4242", b"f" * 16, b"visa"):
        assert personal not in stored
