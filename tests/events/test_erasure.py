"""Decisions of legal holds and erasures: refused while somebody must keep the customer, done once, and final."""

from dataclasses import replace

from events.card import NO_CARD
from events.customer import CUSTOMER, NOBODY, CustomerDeleted
from events.customer.cash_balance import CashBalanceFunded
from events.customer.erasure import (
    HOLDS_MAX,
    CustomerErased,
    EraseCustomer,
    Hold,
    HoldPlaced,
    HoldReleased,
    NotErasable,
    PlaceHold,
    ReleaseHold,
)
from events.customer.source import CardAttached, SourceRemoved
from events.customer.subscription import SubscriptionCanceled, SubscriptionReported
from events.errors import Missing, Refusal
from events.payment_method import PAYMENT_METHOD, ErasePaymentMethod, PaymentMethodErased
from events.token import TOKEN, EraseToken, TokenErased
from tests.events.customer_events import created
from tests.events.samples import SAMPLES
from tests.spec import given

ID = created().id
ERASE = EraseCustomer(id=ID, at=5, basis="GDPR Art. 17", requested_by="key_1")
ERASED = CustomerErased(at=5, basis="GDPR Art. 17", id=ID, requested_by="key_1")
HELD = HoldPlaced(at=1, id="hold_1", reason="a dispute")
REPORTED = SubscriptionReported(at=1, attributes={"currency": "usd", "status": "active"}, id="sub_1")


def test_a_living_customer_is_deleted_with_all_it_has_and_erased() -> None:
    card = CardAttached(at=1, card=NO_CARD, default=True, id="card_1", token=None)
    removed = SourceRemoved(at=5, default=None, id="card_1")
    state = given(CUSTOMER, created(), card).when(ERASE).then(removed, CustomerDeleted(id=ID), ERASED)
    assert (state.deleted, state.erasure.erased_at) == (True, 5)


def test_a_deleted_customer_is_erased_and_erasing_twice_changes_nothing() -> None:
    given(CUSTOMER, created(), CustomerDeleted(id=ID)).when(ERASE).then(ERASED)
    given(CUSTOMER, created(), CustomerDeleted(id=ID), ERASED).when(replace(ERASE, at=9)).nothing_happens()


def test_one_that_has_cash_cannot_be_deleted_and_can_be_erased() -> None:
    cash = CashBalanceFunded(amount=5, at=1, currency="eur", ending_balance=5, id="ccsbtxn_1")
    given(CUSTOMER, created(), cash).when(ERASE).then(CustomerDeleted(id=ID), ERASED)


def test_nobody_is_not_erased() -> None:
    assert not NOBODY.erasure.holds
    given(CUSTOMER).when(ERASE).refused(Missing, code="resource_missing", param="id")


def test_a_running_subscription_forbids_it_unless_it_is_to_be_canceled() -> None:
    given(CUSTOMER, created(), REPORTED).when(ERASE).refused(NotErasable, code="invalid_state")
    fixed = replace(ERASE, cancel_subscriptions=True)
    canceled = SubscriptionCanceled(at=5, id="sub_1")
    given(CUSTOMER, created(), REPORTED).when(fixed).then(canceled, CustomerDeleted(id=ID), ERASED)


def test_a_hold_forbids_it_until_it_is_released_of_a_deleted_customer_too() -> None:
    held = given(CUSTOMER, created(), CustomerDeleted(id=ID)).when(PlaceHold(id="hold_1", at=1, reason="a dispute"))
    assert held.then(HELD).erasure.holds == {"hold_1": Hold(at=1, reason="a dispute")}
    given(CUSTOMER, created(), HELD).when(replace(ERASE, cancel_subscriptions=True)).refused(
        NotErasable, code="invalid_state"
    )
    released = HoldReleased(at=2, id="hold_1")
    given(CUSTOMER, created(), HELD).when(ReleaseHold(id="hold_1", at=2)).then(released)
    given(CUSTOMER, created(), HELD, released).when(ERASE).then(CustomerDeleted(id=ID), ERASED)


def test_every_hold_is_released_together_and_one_that_is_not_there_is_missing() -> None:
    other = replace(HELD, id="hold_2")
    both = (HoldReleased(at=2, id="hold_1"), HoldReleased(at=2, id="hold_2"))
    given(CUSTOMER, created(), HELD, other).when(ReleaseHold(id=None, at=2)).then(*both)
    given(CUSTOMER, created()).when(ReleaseHold(id=None, at=2)).nothing_happens()
    given(CUSTOMER, created()).when(ReleaseHold(id="hold_1", at=2)).refused(
        Missing, code="resource_missing", param="id"
    )


def test_there_is_a_limit_of_holds_and_none_of_an_erased_customer() -> None:
    full = [replace(HELD, id=f"hold_{number}") for number in range(HOLDS_MAX)]
    another = PlaceHold(id="hold_x", at=1, reason="")
    given(CUSTOMER, created(), *full).when(another).refused(Refusal, code="invalid_state")
    given(CUSTOMER, created(), CustomerDeleted(id=ID), ERASED).when(another).refused(Refusal, code="invalid_state")


def test_payment_methods_and_tokens_are_erased_once() -> None:
    method, token = SAMPLES["payment_method.created"], SAMPLES["token.created"]
    by_method = ErasePaymentMethod(id="pm_1Mr5jULkdIwHu7", customer=ID)
    erased = PaymentMethodErased(customer=ID, id="pm_1Mr5jULkdIwHu7")
    state = given(PAYMENT_METHOD, method).when(by_method).then(erased)
    assert (state.card, state.details, state.metadata, state.billing_details.name) == (None, {}, {}, None)
    given(PAYMENT_METHOD, method, erased).when(by_method).nothing_happens()
    by_token = EraseToken(id="tok_1Mr5jULkdIwHu7", customer=ID)
    gone = TokenErased(customer=ID, id="tok_1Mr5jULkdIwHu7")
    state = given(TOKEN, token).when(by_token).then(gone)
    assert (state.card, state.bank_account) == (None, None)
    given(TOKEN, token, gone).when(by_token).nothing_happens()
