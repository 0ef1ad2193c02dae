"""Who the customer is: every attribute a caller sets directly, and what a change to them comes to.

A patch holds only what the caller sent. Value hashes (address, shipping) are replaced whole, invoice settings merge
by sub-key and metadata merges by key (API reference, update a customer). What is recorded is the outcome: the whole
new value of each attribute that truly changed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, cast

from typing_extensions import TypedDict

from events import metadata
from events.errors import Refusal
from events.personal import PERSONAL
from events.values import Address, CustomField, InvoiceSettings, RenderingOptions, Shipping


class InvoiceSettingsPatch(TypedDict, total=False):
    """The invoice settings a caller sent; None clears one."""

    custom_fields: tuple[CustomField, ...] | None
    footer: str | None
    rendering_options: RenderingOptions | None


class ProfilePatch(TypedDict, total=False):
    """The attributes a caller sent, parsed; a key not sent is absent."""

    address: Address | None
    business_name: str | None
    default_payment_method: str | None  # invoice_settings[default_payment_method]
    description: str | None
    email: str | None
    individual_name: str | None
    invoice_prefix: str
    invoice_settings: InvoiceSettingsPatch
    metadata: dict[str, str] | None  # "" deletes a key; None deletes all of them
    name: str | None
    next_invoice_sequence: int
    phone: str | None
    preferred_locales: tuple[str, ...]
    shipping: Shipping | None
    tax_exempt: str


class Attributes(TypedDict, total=False):
    """The attributes an event sets, each whole; what it does not set is absent."""

    address: Annotated[Address | None, PERSONAL]
    business_name: Annotated[str | None, PERSONAL]
    default_payment_method: str | None
    description: Annotated[str | None, PERSONAL]
    email: Annotated[str | None, PERSONAL]
    individual_name: Annotated[str | None, PERSONAL]
    invoice_prefix: str
    invoice_settings: Annotated[InvoiceSettings, PERSONAL]
    metadata: Annotated[dict[str, str], PERSONAL]
    name: Annotated[str | None, PERSONAL]
    next_invoice_sequence: int
    phone: Annotated[str | None, PERSONAL]
    preferred_locales: tuple[str, ...]
    shipping: Annotated[Shipping | None, PERSONAL]
    tax_exempt: str


@dataclass(frozen=True, kw_only=True)  # without slots, as the customer itself
class Profile:
    """The attributes as they stand."""

    address: Address | None = None
    business_name: str | None = None
    default_payment_method: str | None = None
    description: str | None = None
    email: str | None = None
    individual_name: str | None = None
    invoice_prefix: str = ""
    invoice_settings: InvoiceSettings = field(default_factory=InvoiceSettings)
    metadata: Mapping[str, str] = field(default_factory=dict)
    name: str | None = None
    next_invoice_sequence: int = 1
    phone: str | None = None
    preferred_locales: tuple[str, ...] = ()
    shipping: Shipping | None = None
    tax_exempt: str = "none"


BLANK = Profile()


def changes(profile: Profile, patch: ProfilePatch) -> Attributes:
    """What `patch` would truly change, each attribute whole.

    Raises Refusal when more than 50 metadata keys would remain, or the invoice sequence would run backwards.
    """
    sent: dict[str, Any] = dict(patch)
    if "metadata" in patch:
        sent["metadata"] = metadata.merged(profile.metadata, patch["metadata"])
    if "invoice_settings" in patch:
        sent["invoice_settings"] = replace(profile.invoice_settings, **patch["invoice_settings"])
    if patch.get("next_invoice_sequence", profile.next_invoice_sequence) < profile.next_invoice_sequence:
        raise Refusal(
            f"The next invoice sequence must be greater than or equal to {profile.next_invoice_sequence}.",
            param="next_invoice_sequence",
        )
    known = profile.__dict__
    return cast(Attributes, {name: new for name, new in sent.items() if new != known[name]})


def apply(profile: Profile, attributes: Attributes) -> Profile:
    """The profile with the attributes of an event set: what `replace` gives, in a fifth of its time."""
    after = object.__new__(Profile)
    object.__setattr__(after, "__dict__", {**profile.__dict__, **attributes})
    return after
