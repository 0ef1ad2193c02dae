"""Events of cards, bank accounts, tokens and payment methods."""

from events.card import BankAccount, Card
from events.customer.payment_methods import PaymentMethodAttached, PaymentMethodDetached
from events.customer.source import (
    Attributes,
    BankAccountAttached,
    BankAccountVerificationFailed,
    BankAccountVerified,
    CardAttached,
    CardExpiring,
    DefaultSourceSet,
    SourceEdited,
    SourceRemoved,
)
from events.payment_method import (
    AttachedToCustomer,
    BillingDetails,
    DetachedFromCustomer,
    PaymentMethodCreated,
    PaymentMethodEdited,
)
from events.payment_method import Attributes as MethodAttributes
from events.token import TokenCreated, TokenUsed
from tests.events.samples.customer import ADDRESS

CARD = Card(
    address=ADDRESS,
    address_line1_check="unchecked",
    address_zip_check="unchecked",
    brand="visa",
    country="US",
    cvc_check="unchecked",
    exp_month=12,
    exp_year=2034,
    fingerprint="XdHjWZ8GTcUl0qaV",
    funding="credit",
    last4="0341",
    name="Jenny Rosen",
    preferred_network="visa",
    trait="cvc_fails",
)
BANK_ACCOUNT = BankAccount(
    account_holder_name="Jenny Rosen",
    account_holder_type="individual",
    account_type="checking",
    bank_name="STRIPE TEST BANK",
    country="US",
    currency="usd",
    fingerprint="1JWtPxqbdX5Gamtc",
    last4="6789",
    routing_number="110000000",
    status="new",
)
METHOD = MethodAttributes(
    allow_redisplay="always",
    billing_details=BillingDetails(
        address=ADDRESS, email="jenny@example.com", name="Jenny Rosen", phone="+41 44 123 45 67", tax_id="52998224725"
    ),
    card=CARD,
    details={"bank_code": "37040044", "branch_code": None, "last4": "3000"},
    metadata={"tier": "gold"},
)

SAMPLES = (
    CardAttached(
        at=1_700_000_000,
        card=CARD,
        default=True,
        id="card_1Mr5jULkdIwHu7",
        metadata={"tier": "gold"},
        token="tok_1Mr5jULkdIwHu7",
    ),
    BankAccountAttached(
        at=1_700_000_001,
        bank_account=BANK_ACCOUNT,
        default=False,
        id="ba_1Mr5jULkdIwHu7",
        metadata={"tier": "gold"},
        token="btok_1Mr5jULkdIwHu7",
    ),
    SourceEdited(
        attributes=Attributes(
            account_holder_name="Ada Lovelace",
            account_holder_type="company",
            address=ADDRESS,
            exp_month=11,
            exp_year=2035,
            metadata={"tier": "silver"},
            name="Ada Lovelace",
        ),
        id="card_1Mr5jULkdIwHu7",
    ),
    SourceRemoved(at=1_700_000_002, default="ba_1Mr5jULkdIwHu7", id="card_1Mr5jULkdIwHu7"),
    DefaultSourceSet(id="ba_1Mr5jULkdIwHu7"),
    BankAccountVerified(id="ba_1Mr5jULkdIwHu7"),
    BankAccountVerificationFailed(id="ba_1Mr5jULkdIwHu7"),
    CardExpiring(id="card_1Mr5jULkdIwHu7"),
    PaymentMethodAttached(at=1_700_000_003, id="pm_1Mr5jULkdIwHu7"),
    PaymentMethodDetached(at=1_700_000_004, id="pm_1Mr5jULkdIwHu7"),
    TokenCreated(
        bank_account=BANK_ACCOUNT,
        card=CARD,
        created=1_700_000_000,
        holds="card_1Mr5jULkdIwHu7",
        id="tok_1Mr5jULkdIwHu7",
        type="card",
    ),
    TokenUsed(by="card_1Mr5jULkdIwHu7", id="tok_1Mr5jULkdIwHu7"),
    PaymentMethodCreated(
        attributes=METHOD,
        created=1_700_000_000,
        id="pm_1Mr5jULkdIwHu7",
        token="tok_1Mr5jULkdIwHu7",
        type="card",
    ),
    AttachedToCustomer(
        checks={"address_line1_check": "pass", "address_zip_check": "pass", "cvc_check": "fail"},
        customer="cus_NffrFeUfNV2Hib",
        id="pm_1Mr5jULkdIwHu7",
    ),
    PaymentMethodEdited(attributes=METHOD, id="pm_1Mr5jULkdIwHu7"),
    DetachedFromCustomer(customer="cus_NffrFeUfNV2Hib", id="pm_1Mr5jULkdIwHu7"),
)
