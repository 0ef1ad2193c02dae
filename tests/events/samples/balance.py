"""Events of a customer's balance and cash."""

from events.customer.balance import Attributes, BalanceAdjusted, BalanceTransactionEdited
from events.customer.cash_balance import CashBalanceFunded, ReconciliationSet, VirtualAccountOpened

ATTRIBUTES = Attributes(description="A gift", metadata={"campaign": "spring"})
SAMPLES = (
    BalanceAdjusted(
        amount=-500,
        at=1_700_000_000,
        attributes=ATTRIBUTES,
        currency="usd",
        ending_balance=-1500,
        id="cbtxn_1Mr5jULkdIwHu7",
        type="initial",
    ),
    BalanceTransactionEdited(attributes=ATTRIBUTES, id="cbtxn_1Mr5jULkdIwHu7"),
    ReconciliationSet(mode="manual"),
    CashBalanceFunded(
        amount=1000,
        at=1_700_000_000,
        currency="eur",
        ending_balance=3000,
        id="ccsbtxn_1Mr5jULkdIwHu7",
        reference="Rent",
    ),
    VirtualAccountOpened(country="DE", currency="eur", number="123456789012"),
)
