"""Customers are created and changed by commands alone: no request, no read model, a log in memory."""

from datetime import UTC, datetime

import pytest

from events.clock import FrozenClock
from events.coupon import COUPON, CreateCoupon, Terms
from events.customer import CUSTOMER, Customer
from events.customer.profile import ProfilePatch
from events.errors import Declined, Refusal
from events.memory import MemoryLog
from events.payment_method import PAYMENT_METHOD, CreatePaymentMethod
from events.unit_of_work import UnitOfWork
from events.values import Address
from projections.read import Principal
from service.commands import coupons, customer
from service.commands.caller import Caller
from service.commands.cards import NewCard
from service.commands.customer import Facet, NewCustomer
from service.commands.customer.balance import BringBalance
from service.commands.customer.discount import ApplyCoupon
from service.commands.customer.payment_method import BringPaymentMethod
from service.commands.customer.source import BringSource, NewSource
from service.commands.customer.tax import RecogniseLocation
from tests.events.customer_store import KEYS, TEST, CustomerStore

CLOCK = FrozenClock(datetime(2026, 11, 27, tzinfo=UTC))
CALLER = Caller.of(Principal("key_1", TEST.scope, "secret", frozenset()), CLOCK, KEYS)
VISA = NewCard(number="4242424242424242", exp_month="12", exp_year="2030", cvc="123")
SALE = CreateCoupon(created=1_700_000_000, terms=Terms(id="SALE", percent_off="25"), patch={})


@pytest.fixture
def store() -> CustomerStore:
    return CustomerStore(MemoryLog())


async def create(store: CustomerStore, *facets: Facet, **patch: str) -> Customer:
    async def act(unit: UnitOfWork) -> Customer:
        id = await customer.create(unit, CALLER, NewCustomer(ProfilePatch(**patch), facets))  # type: ignore[typeddict-item]
        return unit.state(CUSTOMER, id)

    return await store.executor.transact(act, TEST, serialized_on=customer.streams(CALLER, facets))


async def offer(store: CustomerStore, offered: CreateCoupon) -> None:
    async def act(unit: UnitOfWork) -> None:
        await coupons.create(unit, offered)

    await store.executor.transact(act, TEST)


async def test_a_customer_begins_with_all_that_is_asked_for(store: CustomerStore) -> None:
    await offer(store, SALE)
    facets = (
        BringBalance(-500, "initial"),
        BringSource(NewSource("source", VISA, {"till": "7"}), replaces=False),
        ApplyCoupon("SALE"),
    )
    made = await create(store, *facets, email="jenny.rosen@example.com")
    assert await store.replayed(made.id) == made
    [source] = made.sources.by_id.values()
    assert (source.kept.last4, source.metadata, made.sources.default) == ("4242", {"till": "7"}, source.id)
    assert (made.balance.ledgers, made.profile.email) == ({"usd": -500}, "jenny.rosen@example.com")
    assert made.discounts.current is not None
    assert (await store.executor.state(COUPON, "acct_1:test:SALE", TEST)).times_redeemed == 1


async def test_what_is_refused_leaves_nothing(store: CustomerStore) -> None:
    await offer(store, SALE)
    expired = NewCard(number=VISA.number, exp_month="10", exp_year="2026")
    with pytest.raises(Declined):
        await create(store, ApplyCoupon("SALE"), BringSource(NewSource("source", expired, {}), replaces=False))
    with pytest.raises(Refusal, match="No such coupon: 'GONE'"):
        await create(store, ApplyCoupon("GONE"))
    assert (await store.executor.state(COUPON, "acct_1:test:SALE", TEST)).times_redeemed == 0


async def test_a_location_is_recognised_by_what_the_customer_is_about_to_pay_with(store: CustomerStore) -> None:
    with pytest.raises(Refusal, match="location isn't recognized"):
        await create(store, RecogniseLocation({}))
    card = NewCard(number=VISA.number, exp_month="12", exp_year="2030", address=Address(country="DE"))
    source = BringSource(NewSource("source", card, {}), replaces=False)
    assert (await create(store, source, RecogniseLocation({}))).exists

    async def act(unit: UnitOfWork) -> None:
        billed = CreatePaymentMethod(
            id="pm_1",
            card=None,
            created=0,
            details={},
            type="link",
            patch={"billing_details": {"address": card.address}},
        )
        unit.begin(PAYMENT_METHOD, "pm_1")
        unit.do(PAYMENT_METHOD, "pm_1", billed)

    await store.executor.transact(act, TEST)
    bring = BringPaymentMethod("pm_1")
    with pytest.raises(Refusal, match="location isn't recognized"):
        await create(store, bring, RecogniseLocation({}))
    assert (await create(store, bring, RecogniseLocation({"default_payment_method": "pm_1"}))).exists


def test_a_card_in_full_is_not_printed() -> None:
    assert VISA.number not in repr(NewSource("source", VISA, {}))
