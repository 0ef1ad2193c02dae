"""The decisions about a coupon, as given, when, then; without doubles."""

import orjson
import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from events import coupon
from events.codec import Codec
from events.coupon import (
    COUPON,
    CouponCreated,
    CouponDeleted,
    CouponExpired,
    CouponPatch,
    CouponRedeemed,
    CouponUpdated,
    CreateCoupon,
    DeleteCoupon,
    ExpireCoupon,
    RedeemCoupon,
    Terms,
    UpdateCoupon,
)
from events.errors import Missing, Refusal
from events.personal import SubjectKey
from events.scope import Scope
from tests.spec import given

ID = "SUMMER"
NOW = 1_700_000_000
PERCENT = Terms(id=ID, percent_off="25.5")
AMOUNT = Terms(id=ID, amount_off=500, currency="usd", duration="forever")


def create(terms: Terms = PERCENT, *, redeem_by: int | None = None, most: int | None = None, **patch: object) -> object:
    sent: CouponPatch = patch  # type: ignore[assignment]  # a test's shorthand
    return CreateCoupon(created=NOW, terms=terms, redeem_by=redeem_by, max_redemptions=most, patch=sent)


def created(
    terms: Terms = PERCENT, *, redeem_by: int | None = None, most: int | None = None, **attributes: object
) -> CouponCreated:
    return CouponCreated(
        applies_to=(),
        attributes=attributes,  # type: ignore[arg-type]  # a test's shorthand
        created=NOW,
        max_redemptions=most,
        redeem_by=redeem_by,
        terms=terms,
    )


def update(**patch: object) -> UpdateCoupon:
    return UpdateCoupon(id=ID, patch=patch)  # type: ignore[arg-type]  # a test's shorthand


def redeem(at: int = NOW) -> RedeemCoupon:
    return RedeemCoupon(id=ID, at=at)


def test_a_coupon_is_created_with_what_was_sent() -> None:
    state = (
        given(COUPON)
        .when(create(most=3, name="Summer", metadata={"b": "1", "a": ""}))
        .then(created(most=3, name="Summer", metadata={"b": "1"}))
    )
    assert (state.id, state.valid, state.times_redeemed) == (ID, True, 0)


def test_defaults_are_not_recorded() -> None:
    given(COUPON).when(create(name=None, metadata=None, currency_options={})).then(created())


def test_an_id_that_is_taken_is_refused() -> None:
    given(COUPON, created()).when(create(AMOUNT)).refused(code="resource_already_exists", param="id")


def test_the_id_of_a_deleted_coupon_may_be_used_again_and_nothing_is_left_of_the_first() -> None:
    first = (created(most=1, name="First"), CouponRedeemed(times_redeemed=1), CouponDeleted(id=ID))
    state = given(COUPON, *first).when(create(AMOUNT)).then(created(AMOUNT))
    assert state == given(COUPON, created(AMOUNT)).state
    assert state.valid


@pytest.mark.parametrize("at", [NOW, NOW - 1])
def test_the_last_moment_to_redeem_it_is_in_the_future(at: int) -> None:
    given(COUPON).when(create(redeem_by=at)).refused(param="redeem_by")


def test_an_update_records_only_what_truly_changed() -> None:
    given(COUPON, created(name="Summer")).when(update(name="Winter", metadata={})).then(
        CouponUpdated(attributes={"name": "Winter"})
    )
    given(COUPON, created(name="Summer")).when(update(name=None)).then(CouponUpdated(attributes={"name": None}))
    given(COUPON, created(name="Summer", metadata={"a": "1"})).when(
        update(name="Summer", metadata={"a": "1"})
    ).nothing_happens()


def test_metadata_merges_by_key_and_has_at_most_fifty() -> None:
    given(COUPON, created(metadata={"a": "1", "b": "2"})).when(update(metadata={"b": "", "c": "3"})).then(
        CouponUpdated(attributes={"metadata": {"a": "1", "c": "3"}})
    )
    fifty = {f"key{n}": "x" for n in range(50)}
    given(COUPON, created(metadata=fifty)).when(update(metadata={"one": "more"})).refused(param="metadata")


def test_currency_options_merge_by_currency_and_are_for_amounts_only() -> None:
    given(COUPON, created(AMOUNT, currency_options={"eur": 450})).when(update(currency_options={"chf": 400})).then(
        CouponUpdated(attributes={"currency_options": {"chf": 400, "eur": 450}})
    )
    given(COUPON, created()).when(update(currency_options={"eur": 1})).refused(param="currency_options")


def test_redeeming_counts_up_to_the_limit_and_no_further() -> None:
    given(COUPON, created(most=2)).when(redeem()).then(CouponRedeemed(times_redeemed=1))
    last = (
        given(COUPON, created(most=2), CouponRedeemed(times_redeemed=1))
        .when(redeem())
        .then(CouponRedeemed(times_redeemed=2))
    )
    assert not last.valid
    given(COUPON, created(most=2), CouponRedeemed(times_redeemed=2)).when(redeem()).refused(
        code="coupon_expired", param="coupon"
    )


def test_it_is_redeemed_at_its_last_moment_and_not_a_second_later() -> None:
    until = created(redeem_by=NOW + 10)
    given(COUPON, until).when(redeem(NOW + 10)).then(CouponRedeemed(times_redeemed=1))
    given(COUPON, until).when(redeem(NOW + 11)).refused(code="coupon_expired", param="coupon")


def test_it_expires_when_its_time_is_over_once() -> None:
    until = created(redeem_by=NOW + 10)
    state = given(COUPON, until).when(ExpireCoupon(at=NOW + 11)).then(CouponExpired(redeem_by=NOW + 10))
    assert not state.valid
    given(COUPON, until).when(ExpireCoupon(at=NOW + 10)).nothing_happens()
    given(COUPON, until, CouponExpired(redeem_by=NOW + 10)).when(ExpireCoupon(at=NOW + 12)).nothing_happens()
    given(COUPON, created()).when(ExpireCoupon(at=NOW)).nothing_happens()
    given(COUPON, until, CouponDeleted(id=ID)).when(ExpireCoupon(at=NOW + 11)).nothing_happens()


def test_a_deleted_coupon_is_found_by_nothing() -> None:
    given(COUPON, created()).when(DeleteCoupon(id=ID)).then(CouponDeleted(id=ID))
    for history in ((), (created(), CouponDeleted(id=ID))):
        for command in (update(name="x"), DeleteCoupon(id=ID), redeem()):
            missing = given(COUPON, *history).when(command).refused(Missing, code="resource_missing", param="id")
            assert missing.message == f"No such coupon: '{ID}'"


def test_the_same_id_is_another_coupon_in_another_account_or_mode() -> None:
    keys = {
        coupon.key(Scope(account, livemode), "SALE") for account in ("acct_1", "acct_2") for livemode in (True, False)
    }
    assert len(keys) == 4


@for_all(
    most=st.none() | st.integers(1, 5),
    redeem_by=st.none() | st.integers(NOW + 1, NOW + 5),
    times=st.lists(st.integers(NOW, NOW + 10), max_size=12),
)
def test_it_is_redeemed_as_often_as_it_says_never_above_its_limit_and_never_late(
    most: int | None, redeem_by: int | None, times: list[int]
) -> None:
    state = given(COUPON, created(most=most, redeem_by=redeem_by)).state
    given_away = 0
    for at in times:
        try:
            [event] = coupon.decide(state, redeem(at))
        except Refusal:
            assert state.times_redeemed == most or (redeem_by is not None and at > redeem_by)
            continue
        state = coupon.evolve(state, event)
        given_away += 1
        assert redeem_by is None or at <= redeem_by
    assert state.times_redeemed == given_away <= (most if most is not None else len(times))


def test_the_log_has_no_floats_and_no_personal_data_in_clear() -> None:
    codec = Codec()
    codec.register("coupon.created", CouponCreated)
    stored = codec.encode(
        created(name="For Jenny", metadata={"owner": "Jenny"}), key=SubjectKey(bytes(32)), stream="coupon-1", version=1
    )
    assert b"Jenny" not in stored
    assert orjson.loads(stored)["terms"]["percent_off"] == "25.5"
