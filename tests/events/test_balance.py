"""What becomes of balances and cash: ledgers of transactions, and settings."""

from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import given as arbitrary
from hypothesis import strategies as st

from events.customer import CustomerDeleted, DeleteCustomer
from events.customer.balance import (
    AMOUNT_MAX,
    AdjustBalance,
    Attributes,
    BalanceAdjusted,
    BalanceTransactionEdited,
    EditTransaction,
    SetBalance,
    TransactionPatch,
)
from events.customer.cash_balance import CashBalanceFunded, FundCashBalance, ReconciliationSet, SetReconciliation
from events.errors import Missing
from projections.balances import credit
from tests.events.customer_events import CUSTOMER, ID, created
from tests.spec import given

AT = 1_700_000_100
ADA = given(CUSTOMER, created())


def adjust(amount: int, currency: str = "usd", id: str = "cbtxn_1", **patch: Any) -> AdjustBalance:
    return AdjustBalance(id=id, amount=amount, at=AT, currency=currency, patch=cast(TransactionPatch, patch))


def adjusted(amount: int, ending: int, currency: str = "usd", id: str = "cbtxn_1", **set_: Any) -> BalanceAdjusted:
    return BalanceAdjusted(
        amount=amount,
        at=AT,
        attributes=cast(Attributes, set_),
        currency=currency,
        ending_balance=ending,
        id=id,
        type="adjustment",
    )


def with_balance(*events: object) -> Any:
    return given(CUSTOMER, created(), *events)


def test_a_transaction_adds_to_the_ledger_of_its_currency_and_the_first_sets_the_customers() -> None:
    state = ADA.when(adjust(-500)).then(adjusted(-500, -500))
    assert (state.currency, state.balance.ledgers) == ("usd", {"usd": -500})
    with_balance(adjusted(-500, -500)).when(adjust(200, id="cbtxn_2")).then(adjusted(200, -300, id="cbtxn_2"))


def test_other_currencies_have_ledgers_of_their_own() -> None:
    state = (
        with_balance(adjusted(-500, -500)).when(adjust(70, "eur", "cbtxn_2")).then(adjusted(70, 70, "eur", "cbtxn_2"))
    )
    assert state.currency == "usd"
    assert state.balance.ledgers == {"usd": -500, "eur": 70}
    assert credit(state.balance.ledgers) == {"eur": -70, "usd": 500}


def test_what_is_said_of_a_transaction_is_kept_without_what_was_sent_empty() -> None:
    said: dict[str, Any] = {"description": "A gift", "metadata": {"a": "1", "b": ""}}
    ADA.when(adjust(1, **said)).then(adjusted(1, 1, description="A gift", metadata={"a": "1"}))


def test_a_transaction_of_nothing_is_refused() -> None:
    ADA.when(adjust(0)).refused(param="amount")


@pytest.mark.parametrize("sign", [1, -1])
def test_a_ledger_has_its_limit_either_way(sign: int) -> None:
    full = with_balance(adjusted(sign * AMOUNT_MAX, sign * AMOUNT_MAX))
    full.when(adjust(sign, id="cbtxn_2")).refused(param="amount")
    full.when(adjust(-sign, id="cbtxn_2")).then(adjusted(-sign, sign * (AMOUNT_MAX - 1), id="cbtxn_2"))


def test_a_balance_is_set_by_a_transaction_of_the_difference() -> None:
    command = SetBalance(id="cbtxn_2", at=AT, balance=100, currency="usd")
    with_balance(adjusted(-500, -500)).when(command).then(adjusted(600, 100, id="cbtxn_2"))
    with_balance(adjusted(100, 100)).when(command).nothing_happens()


def test_a_balance_that_a_customer_begins_with_is_called_so() -> None:
    command = SetBalance(id="cbtxn_1", at=AT, balance=-AMOUNT_MAX, currency="usd", type="initial")
    ADA.when(command).then(replace(adjusted(-AMOUNT_MAX, -AMOUNT_MAX), type="initial"))


def test_a_transaction_is_no_older_than_the_one_before_whenever_its_request_began() -> None:
    before = with_balance(adjusted(5, 5))
    late = replace(adjust(1, id="cbtxn_2"), at=AT - 60)
    before.when(late).then(adjusted(1, 6, id="cbtxn_2"))


def test_only_what_is_said_of_a_transaction_changes() -> None:
    there = with_balance(adjusted(5, 5, description="old", metadata={"a": "1", "b": "2"}))
    patch = TransactionPatch(description="new", metadata={"a": "", "c": "3"})
    edited = BalanceTransactionEdited(
        attributes=Attributes(description="new", metadata={"b": "2", "c": "3"}), id="cbtxn_1"
    )
    state = there.when(EditTransaction(id="cbtxn_1", patch=patch)).then(edited)
    assert state.balance.transactions["cbtxn_1"].amount == 5
    there.when(EditTransaction(id="cbtxn_1", patch={"description": "old", "metadata": {}})).nothing_happens()


def test_a_transaction_that_never_was_is_missing() -> None:
    refusal = ADA.when(EditTransaction(id="cbtxn_9", patch={})).refused(Missing, code="resource_missing", param="id")
    assert "cbtxn_9" in refusal.message


amounts = st.integers(min_value=-1000, max_value=1000)
currencies = st.sampled_from(["usd", "eur"])
commands = st.lists(st.tuples(st.booleans(), amounts, currencies), max_size=30)


@arbitrary(commands)
def test_at_every_moment_a_ledger_is_the_sum_of_its_transactions(asked: list[tuple[bool, int, str]]) -> None:
    state = ADA.state
    sums: dict[str, int] = {}
    for number, (sets, amount, currency) in enumerate(asked):
        if not sets and amount == 0:
            continue
        id = f"cbtxn_{number}"
        command = SetBalance(id=id, at=AT, balance=amount, currency=currency) if sets else adjust(amount, currency, id)
        for event in CUSTOMER.decide(state, command):
            state = CUSTOMER.evolve(state, event)
            assert isinstance(event, BalanceAdjusted)
            sums[currency] = sums.get(currency, 0) + event.amount
            assert event.ending_balance == sums[currency]
        assert dict(state.balance.ledgers) == sums
        by_currency = dict.fromkeys(sums, 0)
        for transaction in state.balance.transactions.values():
            by_currency[transaction.currency] += transaction.amount
        assert by_currency == sums
        if sets:
            assert sums.get(currency, 0) == amount


def fund(amount: int, currency: str = "usd") -> FundCashBalance:
    return FundCashBalance(id="ccsbtxn_1", amount=amount, at=AT, currency=currency, reference=None)


def funded(amount: int, ending: int, currency: str = "usd") -> CashBalanceFunded:
    return CashBalanceFunded(amount=amount, at=AT, currency=currency, ending_balance=ending, id="ccsbtxn_1")


def test_cash_adds_up_by_currency_and_is_no_balance() -> None:
    state = with_balance(funded(100, 100)).when(fund(50)).then(funded(50, 150))
    assert (state.cash_balance.available, state.balance.ledgers, state.currency) == ({"usd": 150}, {}, None)


def test_bank_transfers_are_of_something_and_in_some_currencies() -> None:
    ADA.when(fund(100, "chf")).refused(param="currency")
    ADA.when(fund(0)).refused(param="amount")


def test_how_cash_is_matched_is_settled_once() -> None:
    ADA.when(SetReconciliation(mode="manual")).then(ReconciliationSet(mode="manual"))
    ADA.when(SetReconciliation(mode=None)).then(ReconciliationSet(mode=None))
    with_balance(ReconciliationSet(mode="manual")).when(SetReconciliation(mode="manual")).nothing_happens()


@pytest.mark.parametrize("event", [ReconciliationSet(mode=None), funded(1, 1)])
def test_a_customer_with_a_cash_balance_of_whatever_amount_stays(event: object) -> None:
    with_balance(event).when(DeleteCustomer(id=ID)).refused()
    with_balance(event).when(DeleteCustomer(id=ID, with_clock=True)).then(CustomerDeleted(id=ID))


def test_a_customer_with_a_balance_may_go() -> None:
    with_balance(adjusted(-500, -500)).when(DeleteCustomer(id=ID)).then(CustomerDeleted(id=ID))
