"""Events of legal holds and erasures."""

from events.customer.erasure import CustomerErased, HoldPlaced, HoldReleased
from events.payment_method import PaymentMethodErased
from events.token import TokenErased

SAMPLES = (
    HoldPlaced(at=1_700_000_000, id="hold_1Mr5jULkdIwHu7", reason="Rosen v. Söhne"),
    HoldReleased(at=1_700_000_001, id="hold_1Mr5jULkdIwHu7"),
    CustomerErased(
        at=1_700_000_002, basis="GDPR Art. 17(1)(a)", id="cus_NffrFeUfNV2Hib", requested_by="prj_1Mr5jULkdIwHu7"
    ),
    PaymentMethodErased(customer="cus_NffrFeUfNV2Hib", id="pm_1Mr5jULkdIwHu7"),
    TokenErased(customer="cus_NffrFeUfNV2Hib", id="tok_1Mr5jULkdIwHu7"),
)
