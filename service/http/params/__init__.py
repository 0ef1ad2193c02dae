"""Parameters as pydantic models, one file a resource; what arrives is checked here and nowhere deeper.

`parse` answers the first fault in the API's order: unknown parameters (all of them named), then missing ones, then
types, lengths and values.
"""

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from events.errors import Refusal
from service import masking
from service.http.params.fields import shortened

Model = TypeVar("Model", bound=BaseModel)
HIDDEN = "****"
NAME_CHARACTERS_MAX = 100  # of a parameter's name that a message quotes


class Parameters(BaseModel):
    """A request's parameters, or a hash within them; what stands under a field is its public description."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def parse(model: type[Model], raw: dict[str, Any]) -> Model:
    """The parameters in `raw`. Raises Refusal."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise _refusal(error.errors(include_url=False), raw) from None


def _refusal(faults: list[ErrorDetails], raw: dict[str, Any]) -> Refusal:
    strangers = [_as_sent(raw, fault["loc"]) for fault in faults if fault["type"] == "extra_forbidden"]
    if strangers:
        unknown = [_named(location) for location in sorted(strangers, key=lambda location: _position(raw, location))]
        plural = "s" if len(unknown) > 1 else ""
        return Refusal(
            f"Received unknown parameter{plural}: {', '.join(unknown)}", code="parameter_unknown", param=unknown[0]
        )
    for fault in faults:
        if fault["type"] == "missing":
            param = spelled(_as_sent(raw, fault["loc"]))
            return Refusal(f"Missing required param: {param}.", code="parameter_missing", param=param)
    location = _as_sent(raw, faults[0]["loc"])
    return _wrong(faults[0], _named(location), masking.secret(location))


def _wrong(fault: ErrorDetails, param: str, secret: bool) -> Refusal:
    given, context = HIDDEN if secret else fault["input"], fault.get("ctx", {})
    match fault["type"]:
        case "refused":
            return Refusal(context["message"], code=context.get("code"), param=context.get("param", param))
        case "string_too_long":
            return Refusal(
                f"Invalid string: {shortened(given)}; must be at most {context['max_length']} characters", param=param
            )
        case "string_type":
            return Refusal(f"Invalid string: {shortened(str(given))}", param=param)
        case "literal_error":
            return Refusal(f"Invalid {param}: must be one of {context['expected'].replace(chr(39), '')}", param=param)
        case "greater_than_equal":
            return Refusal(f"This value must be greater than or equal to {context['ge']}.", param=param)
        case "less_than_equal":
            return Refusal(f"This value must be less than or equal to {context['le']}.", param=param)
        case "too_long":
            return Refusal(f"Array too long: {param} may have at most {context['max_length']} elements.", param=param)
        case "too_short":
            return Refusal(
                f"You passed an empty value for '{param}', which needs at least one element.",
                code="parameter_invalid_empty",
                param=param,
            )
        case "model_type" | "dict_type" | "model_attributes_type" | "dataclass_type":
            return Refusal("Invalid object", param=param)
        case "list_type" | "tuple_type":
            return Refusal("Invalid array", param=param)
    return Refusal(f"Invalid value for {param}.", param=param)


def spelled(location: tuple[int | str, ...]) -> str:
    """The path of a parameter as a client spells it: `shipping[name]`."""
    root, *rest = location
    return str(root) + "".join(f"[{key}]" for key in rest)


def _named(location: tuple[int | str, ...]) -> str:
    """A path as a message may name it: a number is hidden that stands where a card's or an account's would."""
    name = masking.quoted(spelled(location), NAME_CHARACTERS_MAX)
    return masking.hidden(name) if masking.secret(location) else name


def _as_sent(raw: Any, location: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """The path of a parameter by the keys of the request: an array's elements may have come with any numbers.

    A step like `<card>` is none: it says as which of several a hash was read.
    """
    keys: list[int | str] = []
    for step in location:
        if isinstance(step, str) and step.startswith("<") and _within(raw, step) is None:
            continue
        key = sorted(raw, key=int)[step] if isinstance(step, int) and isinstance(raw, dict) else step
        keys.append(key)
        raw = _within(raw, key)
    return tuple(keys)


def _position(raw: Any, location: tuple[int | str, ...]) -> list[int]:
    """The index of a parameter in the request, level by level."""
    position: list[int] = []
    for key in location:
        position.append(list(raw).index(key) if isinstance(raw, dict) else int(key))
        raw = _within(raw, key)
    return position


def _within(raw: Any, key: int | str) -> Any:
    if isinstance(raw, dict):
        return raw.get(key)
    return raw[key] if isinstance(raw, list) and isinstance(key, int) else None
