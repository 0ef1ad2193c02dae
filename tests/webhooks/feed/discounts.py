"""A customer's discount, as the newest version of the API and an older one show it, and its notice."""

import secrets
from typing import Any

import orjson

from events import ids
from events.record import Append, Draft
from projections.notices import notice
from projections.rows import NoticeRow, ResourceRow, Rows
from tests.webhooks.harness import ACCOUNT, WebhookHarness, origin

NEWEST, DECEMBER, BASIL = "2026-10-28.endive", "2025-12-15.clover", "2025-08-27.basil"
COUPON = {"id": "SALE", "object": "coupon", "name": "Sälé", "percent_off": 25.5}
DISCOUNT: dict[str, Any] = {
    "id": "di_1",
    "object": "discount",
    "customer": "cus_1",
    "customer_account": None,
    "source": {"coupon": "SALE", "type": "coupon"},
    "start": 5,
}
OLD_DISCOUNT = {"id": "di_1", "object": "discount", "coupon": COUPON, "customer": "cus_1", "start": 5}


async def record_discount(
    webhooks: WebhookHarness,
    shown: dict[str, Any] = DISCOUNT,
    *,
    account: str = ACCOUNT,
    version: str = NEWEST,
    count: int = 1,
) -> list[NoticeRow]:
    """Have something happen, with a coupon that the account had and deleted."""
    by, name = origin(account), ids.new("cus", secrets.token_bytes(14))
    notices = [
        notice(
            "customer.discount.created",
            shown,
            stream=f"customer-{name}",
            version=number + 1,
            event=0,
            origin=by,
            api_version=version,
        )
        for number in range(count)
    ]
    coupon = ResourceRow(
        account, False, "SALE", "coupon", "", 1, 1, True, None, orjson.dumps({**COUPON, "account": account}), "{}"
    )
    rows = Rows(notices=tuple(notices), resources=(coupon,))
    happened = Draft("noted", 1, 1, b"{}", bytes(32))
    await webhooks.commit.append(
        Append(stream=f"customer-{name}", expected=0, origin=by, drafts=(happened,), rows=rows)
    )
    return notices
