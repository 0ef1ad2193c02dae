"""Parameters of `/v1/tokens`."""

from typing import Annotated

from events.errors import Refusal
from service.http.params import Parameters
from service.http.params.card import BankAccountOrToken, CardOrToken, Hidden, Unshown
from service.http.params.fields import ClearableText, Expand, NotEmpty

KINDS = ("account", "bank_account", "card", "cvc_update", "person", "pii")


class CvcUpdate(Unshown):
    """An updated security code."""

    cvc: Hidden
    """Security code (CVC); not stored."""


class Pii(Unshown):
    """Personal data for verification."""

    id_number: ClearableText = None
    """Number of a document; not stored."""


class CreateToken(Parameters):
    """Parameters of `POST /v1/tokens`: the details of exactly one type of token."""

    account: dict[str, object] | None = None
    """Details of a connected account; refused, as there are none."""
    bank_account: BankAccountOrToken | None = None
    """Details of a bank account."""
    card: CardOrToken | None = None
    """Details of a card."""
    customer: ClearableText = None
    """Id of a customer whose card or bank account to share; refused, as there are no connected accounts."""
    cvc_update: Annotated[CvcUpdate, NotEmpty] | None = None
    """Updated security code (CVC); not stored."""
    expand: Expand = ()
    """Paths of the objects to expand in the response."""
    person: dict[str, object] | None = None
    """Details of a person of a connected account; refused, as there are none."""
    pii: Annotated[Pii, NotEmpty] | None = None
    """Personal data for verification; not stored."""

    def kind(self) -> str:
        """The type of the token. Raises Refusal unless exactly one supported type was sent."""
        sent = [name for name in KINDS if name in self.model_fields_set]
        if not sent:
            raise Refusal(
                "You must supply exactly one of these parameters: bank_account, card, cvc_update, pii.",
                code="parameter_missing",
                param="card",
            )
        if len(sent) > 1:
            raise Refusal(
                f"You may only specify one of these parameters: {', '.join(sent)}.",
                code="parameters_exclusive",
                param=sent[1],
            )
        kind = sent[0]
        if kind in ("account", "person"):
            raise Refusal(
                f"There are no connected accounts, so tokens of {kind} details are not supported.", param=kind
            )
        if self.customer is not None or isinstance(getattr(self, kind), str):
            raise Refusal(
                "There are no connected accounts to share a customer's payment method with.",
                param="customer" if self.customer is not None else kind,
            )
        return kind


class RetrieveToken(Parameters):
    """Parameters of `GET /v1/tokens/{token}`."""

    expand: Expand = ()
    """Paths of the objects to expand in the response."""
