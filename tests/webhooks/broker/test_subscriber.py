"""The decisions about a subscriber, as given, when, then."""

import pytest

from events.errors import Missing
from tests.spec import Given
from webhooks.broker.subscriber import (
    SUBSCRIBER,
    AddSubscriber,
    Mode,
    RemoveSubscriber,
    SubscriberAdded,
    SubscriberRemoved,
)


def given(*history: object) -> Given:
    return Given(SUBSCRIBER, history)


def add(*types: str, name: str = "ledger", account: str = "*", mode: Mode = "*", at: int = 1) -> AddSubscriber:
    return AddSubscriber(account=account, at=at, mode=mode, name=name, types=types)


def added(*types: str, account: str = "*", mode: Mode = "*", at: int = 1) -> SubscriberAdded:
    return SubscriberAdded(account=account, at=at, mode=mode, name="ledger", types=types)


REMOVED = SubscriberRemoved(name="ledger")


def test_a_subscriber_is_bound_by_what_it_asked_for() -> None:
    state = given().when(add("customer.*", "coupon.created")).then(added("customer.*", "coupon.created"))
    assert state.bindings == ("*.*.customer.#", "*.*.coupon.created")
    assert (state.queue, state.dead_letters) == ("rollbook.ledger", "rollbook.ledger.dead")
    assert state.patterns == ("customer.%", "coupon.created")
    state = given().when(add("*", account="acct_1", mode="live")).then(added("*", account="acct_1", mode="live"))
    assert state.bindings == ("acct_1.live.#",)


def test_asking_for_the_same_again_changes_nothing() -> None:
    given(added("customer.*")).when(add("customer.*", at=2)).nothing_happens()


def test_whoever_asks_for_something_else_is_no_longer_bound_by_what_was_before() -> None:
    state = given(added("customer.*", "coupon.*")).when(add("coupon.*")).then(added("coupon.*"))
    assert state.past == {"*.*.customer.#"}
    state = given(added("customer.*"), added("coupon.*")).when(add("customer.*")).then(added("customer.*"))
    assert state.past == {"*.*.coupon.#"}


def test_who_was_removed_may_come_again() -> None:
    assert not given(added("customer.*")).when(RemoveSubscriber(name="ledger")).then(REMOVED).exists
    assert given(added("customer.*"), REMOVED).when(add("customer.*")).then(added("customer.*")).exists
    for history in ((), (added("customer.*"), REMOVED)):
        given(*history).when(RemoveSubscriber(name="ledger")).refused(Missing, code="resource_missing", param="id")


@pytest.mark.parametrize("name", ["", "Ledger", "led ger", "a.b", "1st", "x" * 64, "café", "a\n"])
def test_a_name_fits_into_that_of_a_queue(name: str) -> None:
    given().when(add("*", name=name)).refused(param="name")


@pytest.mark.parametrize("account", ["", "a.b", "#", "acct 1", "**"])
def test_an_account_is_one_word_of_a_routing_key(account: str) -> None:
    given().when(add("*", account=account)).refused(param="account")
