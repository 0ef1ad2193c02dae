"""The decisions about a promotion code, as given, when, then; without doubles."""

from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from events import promotion_code
from events.coupon import Coupon, Terms
from events.errors import Missing, Refusal
from events.promotion_code import (
    PROMOTION_CODE,
    CreatePromotionCode,
    ExpirePromotionCode,
    PromotionCodeCreated,
    PromotionCodeExpired,
    PromotionCodeRedeemed,
    PromotionCodeUpdated,
    RedeemPromotionCode,
    Restrictions,
    UpdatePromotionCode,
)
from tests.spec import given

ID = "promo_1Mr5jULkdIwHu7"
NOW = 1_700_000_000
TERMS = Terms(id="SUMMER", percent_off="10")
COUPON = Coupon(terms=TERMS)


def create(**more: Any) -> CreatePromotionCode:
    return CreatePromotionCode(**{"id": ID, "code": "Summer26", "coupon": COUPON, "created": NOW, **more})


def created(attributes: Any = None, **more: Any) -> PromotionCodeCreated:
    plain = {
        "code": "Summer26",
        "coupon": "SUMMER",
        "created": NOW,
        "customer": None,
        "expires_at": None,
        "id": ID,
        "max_redemptions": None,
    }
    return PromotionCodeCreated(**{**plain, "attributes": attributes or {}, **more})


def update(coupon: Coupon = COUPON, at: int = NOW, **patch: Any) -> UpdatePromotionCode:
    return UpdatePromotionCode(id=ID, at=at, coupon=coupon, patch=patch)  # type: ignore[arg-type]  # shorthand


def redeem(customer: str = "cus_1", at: int = NOW, *, has_paid: bool = False) -> RedeemPromotionCode:
    return RedeemPromotionCode(id=ID, at=at, customer=customer, has_paid=has_paid)


def redeemed(times: int) -> PromotionCodeRedeemed:
    return PromotionCodeRedeemed(customer="cus_1", times_redeemed=times)


def test_a_code_is_created_active_and_with_what_was_sent() -> None:
    state = given(PROMOTION_CODE).when(create()).then(created())
    assert (state.open, state.coupon, state.times_redeemed) == (True, "SUMMER", 0)
    restrictions = Restrictions(minimum_amount=5000, minimum_amount_currency="usd")
    given(PROMOTION_CODE).when(
        create(active=False, metadata={"a": "1"}, restrictions=restrictions, customer="cus_1", max_redemptions=2)
    ).then(
        created(
            {"active": False, "metadata": {"a": "1"}, "restrictions": restrictions},
            customer="cus_1",
            max_redemptions=2,
        )
    )


def test_it_stands_for_a_coupon_that_can_be_redeemed() -> None:
    for coupon in (
        Coupon(terms=TERMS, deleted=True),
        Coupon(terms=TERMS, redeem_by=NOW - 1),
        Coupon(terms=TERMS, max_redemptions=1, times_redeemed=1),
    ):
        given(PROMOTION_CODE).when(create(coupon=coupon)).refused(code="coupon_expired", param="coupon")


def test_its_limits_are_no_wider_than_the_coupons() -> None:
    coupon = Coupon(terms=TERMS, redeem_by=NOW + 10, max_redemptions=3)
    given(PROMOTION_CODE).when(create(coupon=coupon, expires_at=NOW + 11)).refused(param="expires_at")
    given(PROMOTION_CODE).when(create(coupon=coupon, max_redemptions=4)).refused(param="max_redemptions")
    given(PROMOTION_CODE).when(create(coupon=coupon, expires_at=NOW + 10, max_redemptions=3)).then(
        created(expires_at=NOW + 10, max_redemptions=3)
    )
    given(PROMOTION_CODE).when(create(expires_at=NOW)).refused(param="expires_at")


def test_an_update_records_only_what_truly_changed() -> None:
    given(PROMOTION_CODE, created({"metadata": {"a": "1"}})).when(
        update(active=False, metadata={"a": "1", "b": ""})
    ).then(PromotionCodeUpdated(attributes={"active": False}))
    given(PROMOTION_CODE, created()).when(update(active=True, metadata=None)).nothing_happens()
    given(PROMOTION_CODE, created({"metadata": {"a": "1"}})).when(update(metadata=None)).then(
        PromotionCodeUpdated(attributes={"metadata": {}})
    )


def test_of_its_restrictions_only_the_currency_options_change_and_by_currency() -> None:
    was = Restrictions(first_time_transaction=True, currency_options={"eur": 1})
    now = Restrictions(first_time_transaction=True, currency_options={"chf": 2, "eur": 1})
    given(PROMOTION_CODE, created({"restrictions": was})).when(update(currency_options={"chf": 2})).then(
        PromotionCodeUpdated(attributes={"restrictions": now})
    )
    given(PROMOTION_CODE, created({"restrictions": now})).when(update(currency_options={"chf": 2})).nothing_happens()


def test_it_is_made_active_again_only_while_it_can_be_redeemed() -> None:
    stopped = PromotionCodeUpdated(attributes={"active": False})
    again = PromotionCodeUpdated(attributes={"active": True})
    given(PROMOTION_CODE, created(), stopped).when(update(active=True)).then(again)
    for history, command in (
        ((created(max_redemptions=1), redeemed(1), stopped), update(active=True)),
        ((created(expires_at=NOW + 1), stopped), update(active=True, at=NOW + 2)),
        ((created(), stopped), update(Coupon(terms=TERMS, expired=True), active=True)),
        ((created(), stopped), update(Coupon(terms=TERMS, deleted=True), active=True)),
    ):
        given(PROMOTION_CODE, *history).when(command).refused(param="active")


def test_redeeming_counts_up_to_the_limit_and_closes_it_there() -> None:
    history = (created(max_redemptions=2), redeemed(1))
    state = given(PROMOTION_CODE, *history).when(redeem()).then(redeemed(2))
    assert (state.open, state.active) == (False, True)
    given(PROMOTION_CODE, *history, redeemed(2)).when(redeem()).refused(code="coupon_expired", param="promotion_code")


def test_it_is_redeemed_until_its_last_moment() -> None:
    given(PROMOTION_CODE, created(expires_at=NOW + 1)).when(redeem(at=NOW + 1)).then(redeemed(1))
    given(PROMOTION_CODE, created(expires_at=NOW + 1)).when(redeem(at=NOW + 2)).refused(
        code="coupon_expired", param="promotion_code"
    )


def test_one_that_is_not_active_is_refused() -> None:
    given(PROMOTION_CODE, created({"active": False})).when(redeem()).refused(param="promotion_code")


def test_one_that_is_for_a_customer_is_for_no_other() -> None:
    given(PROMOTION_CODE, created(customer="cus_1")).when(redeem("cus_1")).then(redeemed(1))
    given(PROMOTION_CODE, created(customer="cus_1")).when(redeem("cus_2")).refused(param="promotion_code")


def test_one_for_first_purchases_is_for_who_never_paid() -> None:
    first = created({"restrictions": Restrictions(first_time_transaction=True)})
    given(PROMOTION_CODE, first).when(redeem()).then(redeemed(1))
    given(PROMOTION_CODE, first).when(redeem(has_paid=True)).refused(param="promotion_code")
    given(PROMOTION_CODE, created()).when(redeem(has_paid=True)).then(redeemed(1))


def test_it_expires_when_its_time_is_over_once() -> None:
    until = created(expires_at=NOW + 10)
    state = (
        given(PROMOTION_CODE, until)
        .when(ExpirePromotionCode(at=NOW + 11))
        .then(PromotionCodeExpired(expires_at=NOW + 10))
    )
    assert not state.open
    for history, at in (
        ((until,), NOW + 10),
        ((until, PromotionCodeExpired(expires_at=NOW + 10)), NOW + 11),
        ((created(),), NOW),
        ((), NOW),
    ):
        given(PROMOTION_CODE, *history).when(ExpirePromotionCode(at=at)).nothing_happens()


@pytest.mark.parametrize("command", [update(active=False), redeem()])
def test_one_that_never_was_is_missing(command: object) -> None:
    missing = given(PROMOTION_CODE).when(command).refused(Missing, code="resource_missing", param="id")
    assert missing.message == f"No such promotion code: '{ID}'"


@for_all(most=st.none() | st.integers(1, 4), customers=st.lists(st.sampled_from(["cus_1", "cus_2"]), max_size=8))
def test_it_is_redeemed_as_often_as_it_says_and_never_above_its_limit(most: int | None, customers: list[str]) -> None:
    state, given_away = given(PROMOTION_CODE, created(max_redemptions=most)).state, 0
    for customer in customers:
        try:
            [event] = promotion_code.decide(state, redeem(customer))
        except Refusal:
            assert state.times_redeemed == most
            continue
        state, given_away = promotion_code.evolve(state, event), given_away + 1
    assert state.times_redeemed == given_away == min(len(customers), len(customers) if most is None else most)
