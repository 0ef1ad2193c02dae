"""What may be said of a customer's subscriptions, and what follows."""

from functools import reduce
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from events.customer import subscription
from events.customer.subscription import (
    NONE,
    Attributes,
    Invoice,
    Item,
    PaymentRetryRequested,
    Price,
    RemoveSubscription,
    ReportSubscription,
    RequestRetries,
    SubscriptionCanceled,
    SubscriptionRemoved,
    SubscriptionReported,
    delinquent,
    end,
)
from events.decider import Decider
from events.errors import Missing
from tests.spec import given

SUBSCRIPTIONS = Decider("subscriptions", NONE, subscription.decide, subscription.evolve)
ID = "sub_1"
AT = 1_700_000_000
OPEN = Invoice(id="in_1", auto_advance=True, status="open")
BASE: Attributes = {"currency": "usd", "current_period_end": AT + 99, "current_period_start": AT, "status": "active"}
RETRY = RequestRetries(at=AT + 5)
NEVER = given(SUBSCRIPTIONS)


def report(id: str = ID, at: int = AT, **attributes: Any) -> ReportSubscription:
    return ReportSubscription(id=id, at=at, attributes={**BASE, **attributes})  # type: ignore[typeddict-item]  # shorthand


def reported(id: str = ID, at: int = AT, **attributes: Any) -> SubscriptionReported:
    return SubscriptionReported(id=id, at=at, attributes={**BASE, "created": AT, **attributes})  # type: ignore[typeddict-item]  # shorthand


def past_due(id: str = ID, **attributes: Any) -> SubscriptionReported:
    return reported(id, **{"status": "past_due", "latest_invoice": OPEN, **attributes})


def test_a_first_report_is_recorded_without_what_is_so_by_default() -> None:
    items = (Item(id="si_1", price=Price(id="price_1"), quantity=2),)
    NEVER.when(report(items=items, collection_method="charge_automatically", metadata={}, description=None)).then(
        reported(items=items)
    )


def test_a_report_that_comes_again_adds_nothing() -> None:
    case = given(SUBSCRIPTIONS, past_due())
    case.when(report(at=AT + 10, status="past_due", latest_invoice=OPEN)).nothing_happens()
    case.when(report(at=AT + 10, status="past_due", latest_invoice=OPEN, created=AT)).nothing_happens()


def test_a_report_says_how_it_stands_as_a_whole() -> None:
    case = given(SUBSCRIPTIONS, past_due(description="Gold", metadata={"a": "1"}))
    state = case.when(report(at=AT + 10)).then(reported(at=AT + 10))
    one = state.by_id[ID]
    assert (one.status, one.description, one.metadata, one.latest_invoice) == ("active", None, {}, None)


def test_a_paid_invoice_is_remembered() -> None:
    paid = reported(latest_invoice=Invoice(id="in_0", auto_advance=True, status="paid"))
    assert not given(SUBSCRIPTIONS, past_due()).state.paid
    assert given(SUBSCRIPTIONS, paid, past_due(), SubscriptionRemoved(at=AT, id=ID)).state.paid


def test_the_time_of_the_first_report_stands_unless_the_service_says_another() -> None:
    case = given(SUBSCRIPTIONS, reported())
    assert (
        case.when(report(at=AT + 9, status="unpaid")).then(reported(at=AT + 9, status="unpaid")).by_id[ID].created == AT
    )
    case.when(report(at=AT + 9, created=AT - 5)).then(reported(at=AT + 9, created=AT - 5))


def test_subscriptions_stand_in_the_order_in_which_they_came() -> None:
    case = given(SUBSCRIPTIONS, reported("sub_2"), reported("sub_1"), reported("sub_2", status="unpaid"))
    assert list(case.state.by_id) == ["sub_2", "sub_1"]


def test_a_canceled_one_has_its_times_whether_the_service_says_them_or_not() -> None:
    case = given(SUBSCRIPTIONS, reported())
    case.when(report(at=AT + 9, status="canceled")).then(
        reported(at=AT + 9, status="canceled", canceled_at=AT + 9, ended_at=AT + 9)
    )
    case.when(report(at=AT + 9, status="canceled", canceled_at=AT + 1, ended_at=AT + 2)).then(
        reported(at=AT + 9, status="canceled", canceled_at=AT + 1, ended_at=AT + 2)
    )
    again = given(SUBSCRIPTIONS, reported(), reported(status="canceled", canceled_at=AT + 9, ended_at=AT + 9))
    again.when(report(at=AT + 50, status="canceled")).nothing_happens()


def test_the_first_subscription_sets_the_currency() -> None:
    assert NONE.currency is None
    case = given(SUBSCRIPTIONS, reported(currency="eur"), reported("sub_2", currency="usd"))
    assert case.state.currency == "eur"
    gone = given(SUBSCRIPTIONS, *case.history, SubscriptionRemoved(at=AT, id=ID)).state
    assert gone.currency == "eur"


def test_what_was_removed_is_gone_and_may_come_anew() -> None:
    case = given(SUBSCRIPTIONS, reported(), reported("sub_2"))
    state = case.when(RemoveSubscription(id=ID, at=AT + 1)).then(SubscriptionRemoved(id=ID, at=AT + 1))
    assert list(state.by_id) == ["sub_2"]
    gone = given(SUBSCRIPTIONS, *case.history, SubscriptionRemoved(id=ID, at=AT + 1))
    refusal = gone.when(RemoveSubscription(id=ID, at=AT + 2)).refused(Missing, code="resource_missing", param="id")
    assert refusal.message == f"No such subscription: '{ID}'"
    gone.when(report(at=AT + 3)).then(reported(at=AT + 3, created=AT + 3))


def test_with_the_customer_end_all_that_are_not_over() -> None:
    case = given(
        SUBSCRIPTIONS,
        reported("sub_1"),
        reported("sub_2", status="canceled", canceled_at=AT, ended_at=AT),
        reported("sub_3", status="incomplete_expired"),
        reported("sub_4", status="paused", canceled_at=AT - 1),
    )
    events = end(case.state, AT + 7)
    assert events == [SubscriptionCanceled(at=AT + 7, id="sub_1"), SubscriptionCanceled(at=AT + 7, id="sub_4")]
    state = reduce(subscription.evolve, events, case.state)
    ended = state.by_id["sub_1"], state.by_id["sub_4"]
    assert [(one.status, one.canceled_at, one.ended_at) for one in ended] == [
        ("canceled", AT + 7, AT + 7),
        ("canceled", AT - 1, AT + 7),
    ]
    assert end(state, AT + 8) == []


@pytest.mark.parametrize(
    ("attributes", "owes"),
    [
        ({"status": "active"}, False),
        ({"status": "active", "latest_invoice": OPEN}, False),
        ({"status": "trialing"}, False),
        ({"status": "incomplete", "latest_invoice": OPEN}, False),
        ({"status": "past_due"}, True),
        ({"status": "past_due", "latest_invoice": OPEN}, True),
        ({"status": "unpaid", "latest_invoice": OPEN}, True),
        ({"status": "unpaid", "latest_invoice": Invoice(id="in_1", auto_advance=False, status="draft")}, True),
        ({"status": "past_due", "latest_invoice": Invoice(id="in_1", auto_advance=True, status="paid")}, False),
        ({"status": "past_due", "latest_invoice": Invoice(id="in_1", auto_advance=True, status="void")}, False),
        ({"status": "unpaid", "latest_invoice": Invoice(id="in_1", auto_advance=True, status="uncollectible")}, False),
        ({"status": "past_due", "collection_method": "send_invoice", "latest_invoice": OPEN}, True),
        ({"status": "canceled", "latest_invoice": OPEN}, False),
    ],
    ids=str,
)
def test_a_customer_is_delinquent_whose_due_invoice_is_not_paid(attributes: dict[str, Any], owes: bool) -> None:
    assert not delinquent(NONE)
    assert delinquent(given(SUBSCRIPTIONS, reported("sub_0"), reported(**attributes)).state) is owes


INVOICES = st.sampled_from([None, OPEN, Invoice(id="in_2", auto_advance=True, status="paid")])
CHANGES = st.builds(
    lambda id, status, invoice: reported(id, status=status, latest_invoice=invoice),
    st.sampled_from(["sub_1", "sub_2", "sub_3"]),
    st.sampled_from(["active", "past_due", "unpaid", "canceled"]),
    INVOICES,
) | st.sampled_from(["sub_1", "sub_2", "sub_3"]).flatmap(
    lambda id: st.sampled_from([SubscriptionCanceled(at=AT, id=id), SubscriptionRemoved(at=AT, id=id)])
)


@for_all(st.lists(CHANGES, max_size=20))
def test_a_customer_is_delinquent_for_as_long_as_any_subscription_owes(
    asked: list[SubscriptionReported | SubscriptionCanceled | SubscriptionRemoved],
) -> None:
    state = NONE
    for event in asked:
        if isinstance(event, SubscriptionReported) or event.id in state.by_id:
            state = subscription.evolve(state, event)
        owing = [
            one.id
            for one in state.by_id.values()
            if one.status in ("past_due", "unpaid") and (one.latest_invoice is None or one.latest_invoice == OPEN)
        ]
        assert delinquent(state) is bool(owing)
        assert state.overdue == len(owing)


def test_a_new_way_to_pay_asks_once_for_each_open_invoice_that_is_past_due() -> None:
    other = Invoice(id="in_3", auto_advance=True, status="open")
    case = given(SUBSCRIPTIONS, past_due(), reported("sub_2"), past_due("sub_3", latest_invoice=other))
    events = (
        PaymentRetryRequested(at=AT + 5, invoice="in_1", subscription="sub_1"),
        PaymentRetryRequested(at=AT + 5, invoice="in_3", subscription="sub_3"),
    )
    assert case.when(RETRY).then(*events) == case.state
    given(SUBSCRIPTIONS, *case.history, *events).when(RETRY).then(*events)


@pytest.mark.parametrize(
    "event",
    [
        reported(status="past_due"),
        past_due(status="active"),
        past_due(status="unpaid"),
        past_due(status="canceled"),
        past_due(collection_method="send_invoice"),
        past_due(latest_invoice=Invoice(id="in_1", auto_advance=False, status="open")),
        past_due(latest_invoice=Invoice(id="in_1", auto_advance=True, status="paid")),
        past_due(latest_invoice=Invoice(id="in_1", auto_advance=True, status="draft")),
    ],
    ids=lambda event: str(event.attributes),
)
def test_nothing_else_is_tried_again(event: SubscriptionReported) -> None:
    given(SUBSCRIPTIONS, event).when(RETRY).nothing_happens()


invoices = st.none() | st.builds(
    Invoice,
    id=st.sampled_from(["in_1", "in_2"]),
    auto_advance=st.booleans(),
    status=st.sampled_from(["draft", "open", "paid", "void", "uncollectible"]),
)
reports = st.builds(
    lambda id, at, **attributes: report(id, at, **{k: v for k, v in attributes.items() if v is not None}),
    id=st.sampled_from(["sub_1", "sub_2", "sub_3"]),
    at=st.integers(AT, AT + 100),
    status=st.sampled_from(["active", "past_due", "unpaid", "canceled", "incomplete_expired", "trialing"]),
    currency=st.sampled_from(["usd", "eur"]),
    latest_invoice=invoices,
    created=st.none() | st.integers(AT - 5, AT),
    canceled_at=st.none() | st.integers(AT - 5, AT),
    metadata=st.none() | st.dictionaries(st.sampled_from("ab"), st.sampled_from("12"), max_size=2),
)
commands = st.one_of(
    reports,
    st.builds(RemoveSubscription, id=st.sampled_from(["sub_1", "sub_2", "sub_3"]), at=st.just(AT)),
    st.just(RETRY),
)


@for_all(st.lists(commands, max_size=20))
def test_replaying_gives_the_state_and_a_report_twice_is_one(asked: list[Any]) -> None:
    state, history = NONE, []
    for command in asked:
        try:
            events = subscription.decide(state, command)
        except Missing:
            continue
        state = reduce(subscription.evolve, events, state)
        history += events
        if isinstance(command, ReportSubscription):
            assert subscription.decide(state, command) == []
            assert state.by_id[command.id].status == command.attributes["status"]
        assert len(subscription.decide(state, RETRY)) <= sum(one.status == "past_due" for one in state.by_id.values())
    assert reduce(subscription.evolve, history, NONE) == state
    assert all(one.ended for one in reduce(subscription.evolve, end(state, AT), state).by_id.values())
