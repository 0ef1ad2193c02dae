"""The kinds of value that parameters take, as they arrive: text."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from events.currencies import CURRENCIES

TEXT_CHARACTERS_MAX = 5000
METADATA_KEYS_MAX = 50
METADATA_KEY_CHARACTERS_MAX = 40
METADATA_VALUE_CHARACTERS_MAX = 500
METADATA_SENT_MAX = (
    2 * METADATA_KEYS_MAX
)  # keys in one request: as many as may be there, all removed, and as many new ones
ID_CHARACTERS_MAX = 255  # of an id that is stored as it is sent; where it is only looked up, it is any text
PATHS_MAX = 100  # that one request expands
NUMBER = re.compile(r"\d{1,9}", re.ASCII)  # of an element of an array
INTEGER = re.compile(r"-?\d{1,18}", re.ASCII)


def shortened(text: str) -> str:
    """A given text as messages quote it: whole when short, else its ends."""
    return text if len(text) <= 30 else f"{text[:12]}...{text[-12:]}"


def refused(message: str, *, code: str | None = None, param: str | None = None) -> PydanticCustomError:
    """A fault with its own wording; see params._wrong."""
    context: dict[str, Any] = {"message": message}
    if code is not None:
        context["code"] = code
    if param is not None:
        context["param"] = param
    return PydanticCustomError("refused", "{message}", context)


def integer(given: Any) -> int:
    """The integer that text spells: digits only. Raises the fault of anything else."""
    if not isinstance(given, str) or not INTEGER.fullmatch(given):
        raise refused(f"Invalid integer: {shortened(str(given))}", code="parameter_invalid_integer")
    return int(given)


def _boolean(given: Any) -> bool:
    if given not in ("true", "false"):
        raise refused(f"Invalid boolean: {shortened(str(given))}")
    return bool(given == "true")


def array(given: Any) -> Any:
    """A list; a hash of numbered elements is one too, in the order of the numbers, gaps closed."""
    if isinstance(given, dict) and all(NUMBER.fullmatch(key) for key in given):
        return [given[key] for key in sorted(given, key=int)]
    return given


def _cleared_array(given: Any) -> Any:
    return [] if given == "" else array(given)


def _cleared(given: Any) -> Any:
    return None if given == "" else given


def _not_empty(given: Any) -> Any:
    if given == "":
        raise refused(
            "You passed an empty string for this parameter. We assume empty values are an attempt to unset a "
            "parameter; however, this one cannot be unset. You should remove it from your request or supply a "
            "non-empty value.",
            code="parameter_invalid_empty",
        )
    if isinstance(given, str) and given.isspace():
        raise refused("This parameter must not be blank.", code="parameter_invalid_string_blank")
    return given


def _metadata(given: Any) -> Any:
    if given == "":
        return None
    if not isinstance(given, dict):
        raise refused("Invalid metadata: a hash of keys and values is expected.")
    kept = sum(value != "" for value in given.values())  # an empty value deletes its key
    if kept > METADATA_KEYS_MAX:
        raise refused(f"Metadata can have up to {METADATA_KEYS_MAX} keys, but you've set {kept}.")
    if len(given) > METADATA_SENT_MAX:
        raise refused(f"At most {METADATA_SENT_MAX} metadata keys may be sent at once, but you've sent {len(given)}.")
    for key, value in given.items():
        if not isinstance(value, str):
            raise refused("Metadata values must be strings.", param=f"metadata[{key}]")
        if not 0 < len(key) <= METADATA_KEY_CHARACTERS_MAX:
            raise refused(
                f"Metadata keys must be 1 to {METADATA_KEY_CHARACTERS_MAX} characters long: '{shortened(key)}'."
            )
        if len(value) > METADATA_VALUE_CHARACTERS_MAX:
            raise refused(
                f"Metadata values must be at most {METADATA_VALUE_CHARACTERS_MAX} characters long.",
                param=f"metadata[{key}]",
            )
    return given


def currency(given: str) -> str:
    """The currency that text names, in small letters. Raises the fault of anything else."""
    if not given.isascii() or given.lower() not in CURRENCIES:
        raise refused(f"Invalid currency: {shortened(given)}. It must be a three-letter ISO 4217 code.")
    return given.lower()


Text = Annotated[str, Field(max_length=TEXT_CHARACTERS_MAX)]
Id = Annotated[str, Field(max_length=ID_CHARACTERS_MAX)]
RequiredText = Annotated[Text, BeforeValidator(_not_empty)]
ClearableText = Annotated[Text | None, BeforeValidator(_cleared)]
Currency = Annotated[
    str,
    AfterValidator(currency),
    BeforeValidator(_not_empty),
    Field(max_length=3, json_schema_extra={"enum": sorted(CURRENCIES)}),
]
Integer = Annotated[int, BeforeValidator(integer)]
Boolean = Annotated[bool, BeforeValidator(_boolean)]
Array = BeforeValidator(array)
ClearableArray = BeforeValidator(_cleared_array)
Cleared = BeforeValidator(_cleared)  # the empty string unsets
NotEmpty = BeforeValidator(_not_empty)  # the empty string is refused
_Key = Annotated[str, Field(min_length=1, max_length=METADATA_KEY_CHARACTERS_MAX)]
_Value = Annotated[str, Field(max_length=METADATA_VALUE_CHARACTERS_MAX)]
Metadata = Annotated[
    Annotated[dict[str, str], Field(max_length=METADATA_SENT_MAX)] | None,
    BeforeValidator(_metadata, json_schema_input_type=dict[_Key, _Value]),
]
Expand = Annotated[tuple[Text, ...], Field(max_length=PATHS_MAX), ClearableArray]
CLEARING = frozenset({_cleared, _cleared_array, _metadata})  # the validators that the empty string means something to
REFUSING_EMPTY = frozenset({_not_empty})

FULL_WIDTH_AT = "\uff20"
EMAIL = re.compile(rf"[^\s@{FULL_WIDTH_AT}]+@[^\s@{FULL_WIDTH_AT}.]+(\.[^\s@{FULL_WIDTH_AT}.]+)+")


def _email(given: str | None) -> str | None:
    if given is not None and not EMAIL.fullmatch(given):
        raise refused(f"Invalid email address: {given}", code="email_invalid")
    return given


Email = Annotated[str | None, Field(max_length=512), AfterValidator(_email), Cleared]
