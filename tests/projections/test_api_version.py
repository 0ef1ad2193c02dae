"""What is stored in the newest rendering, as older versions of the API have it."""

from typing import Any

import orjson
import pytest

from projections import api_version
from projections.rows import dumps
from service import api_versions

NEWEST, DECEMBER, CLOVER, BASIL, OLDEST = (
    "2026-10-28.endive", "2025-12-15.clover", "2025-09-30.clover", "2025-08-27.basil", "2020-08-27",
)  # fmt: skip
COUPON = {"id": "SALE", "object": "coupon", "percent_off": 25.5}
COUPONS = {"SALE": COUPON}
DISCOUNT: dict[str, Any] = {
    "id": "di_1",
    "object": "discount",
    "customer": "cus_1",
    "customer_account": None,
    "promotion_code": "promo_1",
    "source": {"coupon": "SALE", "type": "coupon"},
    "start": 5,
}
OLD_DISCOUNT = {
    "id": "di_1",
    "object": "discount",
    "coupon": COUPON,
    "customer": "cus_1",
    "promotion_code": "promo_1",
    "start": 5,
}
CODE: dict[str, Any] = {
    "id": "promo_1",
    "object": "promotion_code",
    "active": True,
    "code": "X",
    "created": 1,
    "customer_account": None,
    "promotion": {"coupon": "SALE", "type": "coupon"},
}
OLD_CODE = {"id": "promo_1", "object": "promotion_code", "active": True, "code": "X", "coupon": COUPON, "created": 1}
CUSTOMER: dict[str, Any] = {
    "id": "cus_1",
    "object": "customer",
    "business_name": "Rosen",
    "customer_account": None,
    "discount": DISCOUNT,
    "individual_name": "Jenny",
    "metadata": {"customer_account": "mine", "object": "discount", "source": "web"},
}
OLD_CUSTOMER = {"id": "cus_1", "object": "customer", "discount": OLD_DISCOUNT, "metadata": CUSTOMER["metadata"]}


def without_account(shown: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in shown.items() if key != "customer_account"}


@pytest.mark.parametrize("version", sorted(api_versions.KNOWN))
def test_every_version_from_the_newest_difference_on_is_as_stored(version: str) -> None:
    assert api_version.differs(version) == (version < DECEMBER)
    if version >= CLOVER:
        assert api_version.coupons(CUSTOMER, version) == set()


@pytest.mark.parametrize("version", [BASIL, OLDEST])
@pytest.mark.parametrize(("newest", "older"), [(DISCOUNT, OLD_DISCOUNT), (CODE, OLD_CODE), (CUSTOMER, OLD_CUSTOMER)])
def test_before_clover_the_coupon_is_shown_whole_and_some_keys_are_not(newest: Any, older: Any, version: str) -> None:
    shown = api_version.render(newest, version, COUPONS)
    assert list(shown.items()) == list(older.items()), "in this order"
    assert api_version.coupons(newest, version) == {"SALE"}


def test_before_the_december_of_clover_accounts_are_not_shown_and_all_else_is() -> None:
    assert api_version.render(DISCOUNT, CLOVER, {}) == without_account(DISCOUNT)
    shown = api_version.render(CUSTOMER, CLOVER, {})
    assert shown == {**without_account(CUSTOMER), "discount": without_account(DISCOUNT)}
    owner = {"object": "tax_id", "customer_account": None, "owner": {"customer_account": None, "type": "self"}}
    assert api_version.render(owner, CLOVER, {}) == {"object": "tax_id", "owner": {"type": "self"}}


def test_lists_searches_and_what_was_expanded_are_rendered_within() -> None:
    expanded = {**DISCOUNT, "promotion_code": CODE, "source": {"coupon": COUPON, "type": "coupon"}}
    assert api_version.coupons(expanded, BASIL) == {"SALE"}
    assert api_version.render(expanded, BASIL, COUPONS) == {**OLD_DISCOUNT, "promotion_code": OLD_CODE}
    for kind in ("list", "search_result"):
        page = {"object": kind, "data": [CUSTOMER, CUSTOMER], "has_more": False, "url": "/v1/customers"}
        assert api_version.coupons(page, BASIL) == {"SALE"}
        assert api_version.render(page, BASIL, COUPONS) == {**page, "data": [OLD_CUSTOMER, OLD_CUSTOMER]}


@pytest.mark.parametrize("version", [CLOVER, BASIL])
def test_rendering_again_changes_nothing(version: str) -> None:
    for newest in (DISCOUNT, CODE, CUSTOMER):
        once = api_version.render(newest, version, COUPONS)
        assert api_version.coupons(once, version) == set()
        assert api_version.render(once, version, {}) == once


@pytest.mark.parametrize("newest", [DISCOUNT, CODE, CUSTOMER])
def test_a_reader_who_may_not_read_coupons_is_shown_their_ids(newest: Any) -> None:
    named = dumps(api_version.render(newest, BASIL, {"SALE": "SALE"}))
    assert dumps(api_version.render(newest, BASIL, None)) == named
    whole = api_version.render(newest, BASIL, COUPONS)
    assert dumps(api_version.render(whole, BASIL, None)) == named, "whoever it was rendered for before"
    assert api_version.render(orjson.loads(named), BASIL, COUPONS) == orjson.loads(named)
    assert api_version.render(COUPON, BASIL, None) == COUPON


def test_who_has_no_discount_has_none_and_a_coupon_nobody_knows_is_null() -> None:
    assert api_version.render({**CUSTOMER, "discount": None}, BASIL, {})["discount"] is None
    assert api_version.render(DISCOUNT, BASIL, {})["coupon"] is None
    deleted = {"id": "cus_1", "object": "customer", "deleted": True}
    assert api_version.render(deleted, BASIL, {}) == deleted


def event(shown: Any, **previous: Any) -> dict[str, Any]:
    data = {"object": shown, "previous_attributes": previous} if previous else {"object": shown}
    return {"id": "evt_1", "object": "event", "api_version": NEWEST, "data": data, "type": "x"}


def test_an_event_is_frozen_as_it_was_published() -> None:
    page = {"object": "list", "data": [event(CUSTOMER)]}
    assert api_version.render(page, BASIL, COUPONS) == page
    assert api_version.coupons(page, BASIL) == set()


def test_a_notice_in_another_version_names_it_and_is_rendered_in_it() -> None:
    assert api_version.notice(event(CUSTOMER), BASIL, COUPONS) == {**event(OLD_CUSTOMER), "api_version": BASIL}
    assert api_version.notice(event(CUSTOMER), DECEMBER, {}) == {**event(CUSTOMER), "api_version": DECEMBER}


def test_what_a_notice_says_was_before_is_rendered_too() -> None:
    before = {"SALE": COUPON, "OLD": {"id": "OLD", "object": "coupon"}}
    of_discount = event(DISCOUNT, source={"coupon": "OLD"}, start=4)
    of_customer = event(CUSTOMER, discount={"source": {"coupon": "OLD"}, "start": 4}, business_name="Rosé", name=None)
    for notice in (of_discount, of_customer):
        assert api_version.coupons_of_notice(notice, BASIL) == {"SALE", "OLD"}
        assert api_version.coupons_of_notice(notice, CLOVER) == set()
    shown = api_version.notice(of_discount, BASIL, before)["data"]
    assert shown == {"object": OLD_DISCOUNT, "previous_attributes": {"coupon": before["OLD"], "start": 4}}
    shown = api_version.notice(of_customer, BASIL, before)["data"]["previous_attributes"]
    assert shown == {"discount": {"coupon": before["OLD"], "start": 4}, "name": None}
    first = event(CUSTOMER, discount=None)
    assert api_version.notice(first, BASIL, before)["data"]["previous_attributes"] == {"discount": None}


def test_the_version_a_stored_notice_names_is_read_and_changed_without_reading_the_rest() -> None:
    body = dumps(event({**CUSTOMER, "metadata": {"x": '\n  "api_version": "y"'}}))
    assert api_version.version_of(body) == NEWEST
    changed = api_version.named_version(body, DECEMBER)
    assert api_version.version_of(changed) == DECEMBER
    assert api_version.named_version(changed, NEWEST) == body
