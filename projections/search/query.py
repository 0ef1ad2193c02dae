"""The parser of the search language: text -> syntax tree (API reference, search query language).

A query is one or more clauses of a field, an operator and a value, joined by AND (or a space) or by OR, not both; a
minus negates a clause. Every text is either a query or a Refusal that says what is wrong.
"""

from dataclasses import dataclass
from typing import Any, Literal, cast

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken, VisitError

from events.errors import Refusal
from projections.search import terms

CLAUSES_MAX = 10
SUBSTRING_CHARACTERS_MIN = 3
NUMBER_MAX = 2**63 - 1

TEXTS = ("email", "name", "phone")
FIELDS = (*TEXTS, "metadata", "created")

GRAMMAR = r"""
    start: clause (joiner? clause)*
    joiner: AND -> all | OR -> any
    clause: [MINUS] field OPERATOR value
    field: NAME ["[" STRING "]"]
    value: STRING | NUMBER | NAME
    AND.2: /and(?![A-Za-z0-9_])/i
    OR.2: /or(?![A-Za-z0-9_])/i
    MINUS: "-"
    OPERATOR: "<=" | ">=" | "<" | ">" | ":" | "~"
    NAME: /[A-Za-z_][A-Za-z0-9_]*/
    NUMBER: /-?[0-9]+(\.[0-9]+)?/
    STRING: /"(\\.|[^"\\])*"|'(\\.|[^'\\])*'/s
    WHITESPACE: /\s+/
    %ignore WHITESPACE
"""


@dataclass(frozen=True, slots=True)
class Text:
    """The field equals this text or contains it, case-insensitively."""

    field: str
    within: bool
    text: str
    negated: bool


@dataclass(frozen=True, slots=True)
class Metadata:
    """The metadata has this value under the key; any value if `value` is None."""

    key: str
    value: str | None
    negated: bool


@dataclass(frozen=True, slots=True)
class Created:
    """A comparison of the time of creation, in Unix seconds."""

    operator: Literal["=", "<", ">", "<=", ">="]
    at: int
    negated: bool


Clause = Text | Metadata | Created


@dataclass(frozen=True, slots=True)
class Query:
    """Clauses, of which all must match, or any."""

    clauses: tuple[Clause, ...]
    joined_by: Literal["AND", "OR"] = "AND"


def parse(text: str) -> Query:
    """Parse a query. Raises Refusal."""
    try:
        query = cast(Query, _PARSER.parse(text))  # starts the transformer itself
    except VisitError as error:
        if isinstance(error.orig_exc, Refusal):
            raise error.orig_exc from None
        raise
    except UnexpectedInput as error:
        raise _refused(_misplaced(error, text)) from None
    return query


class _Build(Transformer[Token, Any]):
    """Builds the syntax tree."""

    def start(self, parts: list[Any]) -> Query:
        joiners = {part for part in parts if isinstance(part, str)}
        clauses = tuple(part for part in parts if not isinstance(part, str))
        # A space alone is AND, too.
        if "OR" in joiners and len(parts) - len(clauses) < len(clauses) - 1:
            joiners.add("AND")
        if len(joiners) > 1:
            raise _refused("AND and OR cannot be mixed in one query.")
        if len(clauses) > CLAUSES_MAX:
            raise _refused(f"A query can have up to {CLAUSES_MAX} clauses, but this one has {len(clauses)}.")
        return Query(clauses, "OR" if "OR" in joiners else "AND")

    def all(self, _: list[Token]) -> str:
        return "AND"

    def any(self, _: list[Token]) -> str:
        return "OR"

    def field(self, parts: list[Token | None]) -> tuple[str, str | None]:
        name, key = parts
        return str(name), None if key is None else _unquoted(key)

    def value(self, parts: list[Token]) -> Token:
        return parts[0]

    def clause(self, parts: list[Any]) -> Clause:
        minus, (field, key), operator, value = parts
        negated = minus is not None
        if field not in FIELDS:
            raise _refused(f"The field '{field}' cannot be searched; searchable fields are {', '.join(FIELDS)}.")
        if (field == "metadata") != (key is not None):
            raise _refused('Metadata is searched by key, as in metadata["key"]:"value", and nothing else is.')
        if field == "created":
            return Created(_comparison(operator), _number(value), negated)
        if operator not in ((":", "~") if field in TEXTS else (":",)):
            raise _refused(f"The operator '{operator}' is not supported for the field '{field}'.")
        if key is not None:
            return Metadata(key, None, not negated) if _is_null(value) else Metadata(key, _text(value, field), negated)
        text = _text(value, field)
        if value.type != "STRING":
            raise _refused(f"A value of the field '{field}' must be quoted.")
        if operator == "~" and len(terms.normalized(text)) < SUBSTRING_CHARACTERS_MIN:
            raise _refused(f"A substring search needs at least {SUBSTRING_CHARACTERS_MIN} characters.")
        return Text(field, operator == "~", text, negated)


def _comparison(operator: str) -> Any:
    if operator == "~":
        raise _refused("The operator '~' is not supported for the field 'created'.")
    return "=" if operator == ":" else operator


def _number(value: Token) -> int:
    text = _unquoted(value) if value.type == "STRING" else str(value)
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 19 or int(digits) > NUMBER_MAX:
        raise _refused("The field 'created' takes a whole number of Unix seconds.")
    return int(text)


def _text(value: Token, field: str) -> str:
    if value.type == "NAME":
        raise _refused(f"A value of the field '{field}' must be quoted.")
    return _unquoted(value) if value.type == "STRING" else str(value)


def _is_null(value: Token) -> bool:
    return value.type == "NAME" and value.lower() == "null"


def _unquoted(string: Token) -> str:
    """A text without its quotes and its escaping backslashes."""
    plain, protected = [], False
    for character in string[1:-1]:
        if character == "\\" and not protected:
            protected = True
        else:
            plain.append(character)
            protected = False
    return "".join(plain)


def _misplaced(error: UnexpectedInput, text: str) -> str:
    if not text.strip():
        return "The query is empty."
    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        return "The query ends unexpectedly."
    offset = cast(int, error.pos_in_stream)
    if isinstance(error, UnexpectedCharacters) and text[offset] in "()":
        return "Parentheses cannot be used in a query."
    return f"The query has a syntax error at character {offset + 1} on: {text[offset : offset + 20]!r}."


def _refused(message: str) -> Refusal:
    return Refusal(f"Invalid search query. {message}", param="query")


_PARSER = Lark(GRAMMAR, parser="lalr", transformer=_Build(), maybe_placeholders=True)
