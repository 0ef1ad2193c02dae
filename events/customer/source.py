"""Sources of a customer: cards and bank accounts, and the default source.

The first one becomes the default; later ones do not, unless they replace it. When the default is removed, the one that
was added last becomes the default (API reference, delete a card).
"""

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Annotated, Any, assert_never, cast

from typing_extensions import TypedDict

from events import metadata
from events.card import NO_ACCOUNT, NO_CARD, BankAccount, Card, attached
from events.errors import Declined, Missing, Refusal
from events.personal import PERSONAL
from events.values import Address

COUNT_MAX = 500  # maximum per customer
DEPOSITS = [32, 45]  # minor units: the micro-deposits that verify a bank account in test mode
VERIFIED = "verified"
VERIFICATION_FAILED = "verification_failed"
FAILURES_MAX = 3  # failed attempts, after which an account cannot be verified (API reference, verify a bank account)
Kept = Card | BankAccount


class SourcePatch(TypedDict, total=False):
    """Parsed parameters of an update of a source; a parameter that was not sent is absent."""

    account_holder_name: str | None
    account_holder_type: str | None
    address: dict[str, str | None]  # part -> new value
    exp_month: int
    exp_year: int
    metadata: dict[str, str] | None  # "" deletes a key, None all of them
    name: str | None


class Attributes(TypedDict, total=False):
    """Attributes that an update sets, each as a whole; others are absent."""

    account_holder_name: Annotated[str | None, PERSONAL]
    account_holder_type: Annotated[str | None, PERSONAL]
    address: Annotated[Address, PERSONAL]
    exp_month: Annotated[int, PERSONAL]
    exp_year: Annotated[int, PERSONAL]
    metadata: Annotated[dict[str, str], PERSONAL]
    name: Annotated[str | None, PERSONAL]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachSource:
    """Attach a card or bank account to the customer, at this time in Unix seconds.

    `token` is the id of the token used, if any; with `replaces` it replaces the default source, which is removed.
    """

    id: str
    at: int
    kept: Kept
    metadata: Mapping[str, str] = field(default_factory=dict)
    replaces: bool = False
    token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EditSource:
    """Update a source."""

    id: str
    patch: SourcePatch


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveSource:
    """Remove a source."""

    id: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SetDefaultSource:
    """Make a source the default."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyBankAccount:
    """Verify a bank account by the amounts of two micro-deposits, in minor units; without amounts it fails."""

    id: str
    amounts: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteExpiry:
    """Record that a card is about to expire, if it is at `at` (Unix seconds)."""

    id: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CardAttached:
    """A card was attached at this time in Unix seconds."""

    at: int
    card: Annotated[Card, PERSONAL] = NO_CARD
    default: bool
    id: str
    metadata: Annotated[dict[str, str], PERSONAL] = field(default_factory=dict)
    token: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BankAccountAttached:
    """A bank account was attached at this time in Unix seconds."""

    at: int
    bank_account: Annotated[BankAccount, PERSONAL] = NO_ACCOUNT
    default: bool
    id: str
    metadata: Annotated[dict[str, str], PERSONAL] = field(default_factory=dict)
    token: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceEdited:
    """These attributes changed, each to its new value as a whole."""

    attributes: Attributes
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRemoved:
    """A source was removed; `default` is the default from now on."""

    at: int
    default: str | None
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultSourceSet:
    """A source became the default."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BankAccountVerified:
    """The bank account was verified."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BankAccountVerificationFailed:
    """The verification of the bank account failed: wrong amounts."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CardExpiring:
    """A card expires at the end of this month."""

    id: str


Command = AttachSource | EditSource | RemoveSource | SetDefaultSource | VerifyBankAccount | NoteExpiry
Event = (
    CardAttached
    | BankAccountAttached
    | SourceEdited
    | SourceRemoved
    | DefaultSourceSet
    | BankAccountVerified
    | BankAccountVerificationFailed
    | CardExpiring
)
EVENT_TYPES: dict[str, type] = {
    "customer.card_attached": CardAttached,
    "customer.bank_account_attached": BankAccountAttached,
    "customer.source_edited": SourceEdited,
    "customer.source_removed": SourceRemoved,
    "customer.default_source_set": DefaultSourceSet,
    "customer.bank_account_verified": BankAccountVerified,
    "customer.bank_account_verification_failed": BankAccountVerificationFailed,
    "customer.card_expiring": CardExpiring,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A card or bank account of the customer; `expiring` is set once its expiry was published."""

    id: str
    created: int
    expiring: bool = False
    kept: Kept
    metadata: Mapping[str, str] = field(default_factory=dict)
    verification_failures: int = 0  # of a bank account

    @property
    def object(self) -> str:
        """Its `object` in the API."""
        return "card" if isinstance(self.kept, Card) else "bank_account"

    @property
    def expiring_at(self) -> int | None:
        """Time at which its expiry is published, in Unix seconds; None for a bank account."""
        return last_day(self.kept.exp_year, self.kept.exp_month) if isinstance(self.kept, Card) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """All sources of the customer, by id, the newest last; `default` is the id of the default."""

    by_id: Mapping[str, Source] = field(default_factory=dict)
    default: str | None = None


NONE = Sources()


class NoSource(Missing):
    """The customer has no such card or bank account."""

    def __init__(self, customer: str, id: str, object: str = "source") -> None:
        super().__init__("source", id)
        self.message = f"Customer {customer} does not have {object.replace('_', ' ')} with ID {id}"


def decide(state: Sources, command: Command) -> list[Event]:
    """Decide the events of `command`; no events if there is nothing to change.

    Raises Missing for an unknown source, Declined for a declined card and for a bank account whose verification has
    failed, Refusal beyond the maximum. Wrong amounts are an event, because they are counted.
    """
    match command:
        case AttachSource():
            return _attach(state, command)
        case EditSource():
            source = _known(state, command.id)
            attributes = _changes(source, command.patch)
            return [SourceEdited(attributes=attributes, id=source.id)] if attributes else []
        case RemoveSource():
            return [_removed(state, _known(state, command.id).id, command.at)]
        case SetDefaultSource():
            source = _known(state, command.id)
            return [DefaultSourceSet(id=source.id)] if state.default != source.id else []
        case VerifyBankAccount():
            return _verify(_known(state, command.id), command)
        case NoteExpiry():
            noted = state.by_id.get(command.id)
            if noted is None or noted.expiring or noted.expiring_at is None or command.at < noted.expiring_at:
                return []
            return [CardExpiring(id=noted.id)]
        case _:
            assert_never(command)


def evolve(state: Sources, event: Event) -> Sources:
    """Fold one event in."""
    match event:
        case CardAttached():
            return _with(state, event, event.card)
        case BankAccountAttached():
            return _with(state, event, event.bank_account)
        case SourceEdited():
            return _put(state, _edited(state.by_id[event.id], event.attributes))
        case SourceRemoved():
            return Sources(by_id={id: one for id, one in state.by_id.items() if id != event.id}, default=event.default)
        case DefaultSourceSet():
            return replace(state, default=event.id)
        case BankAccountVerified():
            source = state.by_id[event.id]
            return _put(state, replace(source, kept=replace(cast(BankAccount, source.kept), status=VERIFIED)))
        case BankAccountVerificationFailed():
            source = state.by_id[event.id]
            failures = source.verification_failures + 1
            status = VERIFICATION_FAILED if failures >= FAILURES_MAX else cast(BankAccount, source.kept).status
            kept = replace(cast(BankAccount, source.kept), status=status)
            return _put(state, replace(source, kept=kept, verification_failures=failures))
        case CardExpiring():
            return _put(state, replace(state.by_id[event.id], expiring=True))
        case _:
            assert_never(event)


def end(state: Sources, at: int) -> list[Event]:
    """The events of the deletion of a customer: each source is removed, the default last."""
    ids = sorted(state.by_id, key=lambda id: id == state.default)
    return [SourceRemoved(at=at, default=state.default if id != state.default else None, id=id) for id in ids]


def last_day(year: int, month: int) -> int:
    """The first second of a month's last day (UTC), in Unix seconds."""
    return int(datetime(year, month, monthrange(year, month)[1], tzinfo=UTC).timestamp())


def _attach(state: Sources, command: AttachSource) -> list[Event]:
    replaced = state.default if command.replaces else None
    if len(state.by_id) - (replaced is not None) >= COUNT_MAX:
        raise Refusal(
            f"You may only attach up to {COUNT_MAX} cards and bank accounts to a customer.",
            code="customer_max_payment_methods",
        )
    default = state.default is None or command.replaces
    common: dict[str, Any] = {
        "at": command.at,
        "default": default,
        "id": command.id,
        "metadata": metadata.merged({}, command.metadata),
        "token": command.token,
    }
    events: list[Event]
    match command.kept:
        case Card():
            events = [CardAttached(card=attached(command.kept), **common)]
        case BankAccount():
            events = [BankAccountAttached(bank_account=command.kept, **common)]
        case _:
            assert_never(command.kept)
    if replaced is not None:
        events.append(SourceRemoved(at=command.at, default=command.id, id=replaced))
    return events


def _removed(state: Sources, id: str, at: int) -> SourceRemoved:
    default = state.default
    if id == default:
        default = next((other for other in reversed(list(state.by_id)) if other != id), None)
    return SourceRemoved(at=at, default=default, id=id)


def not_verified() -> Declined:
    """The refusal of wrong amounts, or of an account with too many of them."""
    return Declined(
        "The amounts provided do not match the amounts that were sent to the bank account.",
        code="bank_account_verification_failed",
    )


def _verify(source: Source, command: VerifyBankAccount) -> list[Event]:
    if not isinstance(source.kept, BankAccount):
        raise Refusal("Only bank accounts can be verified with amounts.", param="id")
    if source.kept.status == VERIFIED:
        raise Refusal("This bank account has already been verified.", param="amounts")
    if source.kept.status == VERIFICATION_FAILED:
        raise not_verified()
    if sorted(command.amounts) != DEPOSITS:
        return [BankAccountVerificationFailed(id=source.id)]
    return [BankAccountVerified(id=source.id)]


def _changes(source: Source, patch: SourcePatch) -> Attributes:
    sent: dict[str, Any] = dict(patch)
    if "metadata" in patch:
        sent["metadata"] = metadata.merged(source.metadata, patch["metadata"])
    for name in sent.keys() - {"metadata"}:
        if name not in type(source.kept).__slots__:
            raise Refusal(f"A {source.object.replace('_', ' ')} has no {name}.", param=name)
    if "address" in patch:
        sent["address"] = replace(cast(Card, source.kept).address, **patch["address"])
    known: dict[str, Any] = {"metadata": source.metadata} | {
        name: getattr(source.kept, name) for name in sent if name != "metadata"
    }
    return cast(Attributes, {name: new for name, new in sorted(sent.items()) if new != known[name]})


def _edited(source: Source, attributes: Attributes) -> Source:
    values: dict[str, Any] = dict(attributes)
    labels = values.pop("metadata", source.metadata)
    edited = replace(source, kept=replace(source.kept, **values), metadata=labels)
    return replace(edited, expiring=source.expiring and edited.expiring_at == source.expiring_at)


def _with(state: Sources, event: CardAttached | BankAccountAttached, kept: Kept) -> Sources:
    source = Source(id=event.id, created=event.at, kept=kept, metadata=event.metadata)
    return Sources(by_id={**state.by_id, event.id: source}, default=event.id if event.default else state.default)


def _put(state: Sources, source: Source) -> Sources:
    return replace(state, by_id={**state.by_id, source.id: source})


def _known(state: Sources, id: str) -> Source:
    source = state.by_id.get(id)
    if source is None:
        raise Missing("source", id)
    return source
