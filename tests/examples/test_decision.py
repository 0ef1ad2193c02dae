"""A decision: history, command, events. Pure, so it needs no server and no doubles."""

from events.customer.balance import AdjustBalance, BalanceAdjusted
from events.errors import Refusal
from tests.events.customer_events import CUSTOMER, created
from tests.spec import given

AT = 1_700_000_100


def adjust(amount: int) -> AdjustBalance:
    return AdjustBalance(id="cbtxn_1", amount=amount, at=AT, currency="usd", patch={})


def test_an_adjustment_changes_the_balance() -> None:
    adjusted = BalanceAdjusted(
        amount=500, at=AT, attributes={}, currency="usd", ending_balance=500, id="cbtxn_1", type="adjustment"
    )
    given(CUSTOMER, created()).when(adjust(500)).then(adjusted)


def test_an_adjustment_by_nothing_is_refused() -> None:
    given(CUSTOMER, created()).when(adjust(0)).refused(Refusal, param="amount")
