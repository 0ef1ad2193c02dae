"""Response schemas as pydantic models, one file per resource: the objects that the API returns.

Responses are not made from them: they describe, in `/openapi.json`, what the projections render, and every response in
a test is validated against them.
"""

from collections.abc import Iterator, Mapping

from pydantic import BaseModel

from service.http.schemas import (
    audit,
    audit_proof,
    balance_transaction,
    cash_balance,
    coupon,
    customer,
    delivery,
    discount,
    event,
    funding_instructions,
    payment_method,
    promotion_code,
    redaction_job,
    schema,
    source,
    subscription,
    tax_id,
    testclock,
    token,
    webhook_endpoint,
)
from service.http.schemas.schema import ListOf, SearchResultOf, Shape

MODULES = (
    schema,
    audit,
    balance_transaction,
    cash_balance,
    funding_instructions,
    coupon,
    customer,
    delivery,
    discount,
    event,
    payment_method,
    promotion_code,
    redaction_job,
    source,
    subscription,
    tax_id,
    testclock,
    token,
    webhook_endpoint,
)

# Shapes refer to each other in circles, so their names are looked up when all of them are there.
_NAMES = {
    name: value
    for module in MODULES
    for name, value in vars(module).items()
    if isinstance(value, type) and issubclass(value, BaseModel)
}


def _below(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for one in model.__subclasses__():
        yield one
        yield from _below(one)


_MODELS: tuple[type[BaseModel], ...] = (*_below(Shape), source.Source)
for _model in _MODELS:
    _model.model_rebuild(_types_namespace=_NAMES)

_OBJECTS: Mapping[str, type[BaseModel]] = {
    "bank_account": source.BankAccount,
    "card": source.Card,
    "cash_balance": cash_balance.CashBalance,
    "coupon": coupon.Coupon,
    "customer": customer.Customer,
    "customer_balance_transaction": balance_transaction.BalanceTransaction,
    "funding_instructions": funding_instructions.FundingInstructions,
    "customer_cash_balance_transaction": cash_balance.CashBalanceTransaction,
    "discount": discount.Discount,
    "event": event.Event,
    "payment_method": payment_method.PaymentMethod,
    "privacy.redaction_job": redaction_job.RedactionJob,
    "privacy.redaction_job_validation_error": redaction_job.ValidationError,
    "promotion_code": promotion_code.PromotionCode,
    "source": source.Source,
    "rollbook.audit.event": audit.AuditEvent,
    "rollbook.audit.state": audit.AuditState,
    "rollbook.audit.difference": audit.AuditDifference,
    "rollbook.audit.proof": audit_proof.AuditProof,
    "rollbook.audit.consistency": audit_proof.AuditConsistency,
    "rollbook.delivery": delivery.Delivery,
    "rollbook.webhook_endpoint": webhook_endpoint.OwnWebhookEndpoint,
    "subscription": subscription.Subscription,
    "tax_id": tax_id.TaxId,
    "test_helpers.test_clock": testclock.TestClock,
    "token": token.Token,
    "webhook_endpoint": webhook_endpoint.WebhookEndpoint,
}
_DELETED: Mapping[str, type[BaseModel]] = {
    "bank_account": source.DeletedBankAccount,
    "card": source.DeletedCard,
    "coupon": coupon.DeletedCoupon,
    "customer": customer.DeletedCustomer,
    "discount": discount.DeletedDiscount,
    "subscription": subscription.DeletedSubscription,
    "tax_id": tax_id.DeletedTaxId,
    "test_helpers.test_clock": testclock.DeletedTestClock,
    "webhook_endpoint": webhook_endpoint.DeletedWebhookEndpoint,
}
SHAPES: Mapping[str, type[BaseModel]] = {
    **_OBJECTS,
    "audit_line": audit.AuditLine,
    "feed_line": event.FeedLine,
    "rollbook.delivery.whole": delivery.WholeDelivery,
    **{f"deleted_{name}": schema for name, schema in _DELETED.items()},
    **{f"list.{name}": ListOf[schema] for name, schema in _OBJECTS.items()},  # type: ignore[valid-type]
    **{f"search_result.{name}": SearchResultOf[schema] for name, schema in _OBJECTS.items()},  # type: ignore[valid-type]
}


def shapes(answers: str | tuple[str, ...]) -> tuple[type[BaseModel], ...]:
    """The shapes that an operation answers in."""
    return tuple(SHAPES[name] for name in ((answers,) if isinstance(answers, str) else answers))
