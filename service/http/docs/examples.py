"""Example request bodies of the operations, for OpenAPI."""

from collections.abc import Mapping
from typing import Any

_CARD = {"number": "4242424242424242", "exp_month": "12", "exp_year": "2034", "cvc": "123"}
_TAX_ID = {"type": "eu_vat", "value": "DE123456789"}

EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    "audit.consistency": {"from": 1},
    "audit.proof": {"position": 1},
    "audit.state": {"at": "1"},
    "coupons.create": {"duration": "repeating", "duration_in_months": 3, "percent_off": 25.5},
    "coupons.update": {"name": "Spring sale"},
    "customers.balance_transactions.create": {"amount": -500, "currency": "usd"},
    "customers.balance_transactions.update": {"description": "For the long wait"},
    "customers.bank_accounts.create": {"source": "btok_us"},
    "customers.bank_accounts.update": {"account_holder_name": "Jenny Rosen"},
    "customers.bank_accounts.verify": {"amounts": [32, 45]},
    "customers.cards.create": {"source": "tok_visa"},
    "customers.cards.update": {"address_zip": "94107"},
    "customers.cash_balance.update": {"settings": {"reconciliation_mode": "manual"}},
    "customers.create": {"email": "jenny.rosen@example.com", "name": "Jenny Rosen"},
    "customers.funding_instructions.create": {
        "bank_transfer": {"type": "eu_bank_transfer", "eu_bank_transfer": {"country": "DE"}},
        "currency": "eur",
        "funding_type": "bank_transfer",
    },
    "customers.search": {"query": 'email:"jenny.rosen@example.com"'},
    "customers.sources.create": {"source": "tok_visa"},
    "customers.sources.update": {"name": "Jenny Rosen"},
    "customers.sources.verify": {"amounts": [32, 45]},
    "customers.tax_ids.create": _TAX_ID,
    "customers.update": {"metadata": {"order": "6735"}},
    "feed.read": {"after": 0},
    "payment_methods.attach": {"customer": "cus_NffrFeUfNV2Hib"},
    "payment_methods.create": {"type": "card", "card": {"token": "tok_visa"}},
    "payment_methods.update": {"billing_details": {"name": "Jenny Rosen"}},
    "privacy.redaction_jobs.create": {"objects": {"customers": ["cus_NffrFeUfNV2Hib"]}},
    "privacy.redaction_jobs.list": {"status": "ready"},
    "privacy.redaction_jobs.update": {"validation_behavior": "fix"},
    "promotion_codes.create": {"code": "SPRING", "promotion": {"type": "coupon", "coupon": "Z4OV52SU"}},
    "promotion_codes.update": {"active": False},
    "rollbook.subscriptions.report": {
        "currency": "usd",
        "current_period_end": 1782864000,
        "current_period_start": 1780272000,
        "items": [{"id": "si_1", "price": {"id": "price_1", "unit_amount": 2000}}],
        "status": "active",
    },
    "rollbook.webhook_endpoints.resume": {"replay": "latest"},
    "rollbook.webhook_endpoints.recover": {"since": 1780272000},
    "rollbook.webhook_endpoints.roll_secret": {"overlap": 24},
    "rollbook.webhook_endpoints.set_rules": {"order": "customer", "on_exhaustion": "hold", "rate_limit": 50},
    "tax_ids.create": _TAX_ID,
    "test_clocks.advance": {"frozen_time": 1782864000},
    "test_clocks.create": {"frozen_time": 1780272000, "name": "A month of June"},
    "test_helpers.customers.fund_cash_balance": {"amount": 2000, "currency": "eur"},
    "tokens.create": {"card": _CARD},
    "webhook_endpoints.create": {"url": "https://example.com/hooks", "enabled_events": ["*"]},
    "webhook_endpoints.update": {"enabled_events": ["customer.created", "customer.deleted"]},
}
