"""The profile of a customer: every attribute that callers set directly, and the effect of an update on them.

A patch contains only what the caller sent. Hashes (address, shipping) are replaced as a whole, invoice settings are
merged by sub-key and metadata by key (API reference, update a customer). The outcome is recorded: the new value of each
attribute that changed.
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
    """Invoice settings of a request; None clears one."""

    custom_fields: tuple[CustomField, ...] | None
    footer: str | None
    rendering_options: RenderingOptions | None


class ProfilePatch(TypedDict, total=False):
    """Parsed parameters of a request; a parameter that was not sent is absent."""

    address: Address | None
    business_name: str | None
    default_payment_method: str | None  # invoice_settings[default_payment_method]
    description: str | None
    email: str | None
    individual_name: str | None
    invoice_prefix: str
    invoice_settings: InvoiceSettingsPatch
    metadata: dict[str, str] | None  # "" deletes a key, None all of them
    name: str | None
    next_invoice_sequence: int
    phone: str | None
    preferred_locales: tuple[str, ...]
    shipping: Shipping | None
    tax_exempt: str


class Attributes(TypedDict, total=False):
    """Attributes that an event sets, each as a whole; others are absent."""

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


@dataclass(frozen=True, kw_only=True)  # without slots, like the customer
class Profile:
    """State of the profile."""

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
    """The attributes that `patch` changes, each as a whole.

    Raises Refusal if more than 50 metadata keys would remain, or the invoice sequence would decrease.
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
    """The profile with the attributes of an event: like `replace`, five times as fast."""
    after = object.__new__(Profile)
    object.__setattr__(after, "__dict__", {**profile.__dict__, **attributes})
    return after
