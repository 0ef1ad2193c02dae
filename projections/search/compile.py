"""The query compiler: syntax tree -> (SQL, arguments), with numbered parameters only, so SQL injection is impossible.

Where a clause finds something, its terms narrow the search by index, and the texts themselves decide. What a clause
rules out is looked for among the newest, one after the other.

A search that only rules out is therefore done when its page is full, which takes a look at ten customers when nearly
all are left, and at all of the account and mode when nearly none are (some 0.3 microseconds each). No index shortens
that: an index of terms lists who has a term, and those who lack it are all the others. To list them as well, every
customer would need a term for each key, text and three letters that it does not have, which are without end, or one
for each that others have, so that the first use of a key by anybody would write to everybody. Summaries of whole
ranges of customers (what all of a range have) would pass over ranges for one such clause alone, and not for two: a
range in which half lack the one and half the other has nobody to show, and no statistics say so. Beside any
clause that finds, what is ruled out costs nothing more.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, assert_never

from events.scope import Scope
from projections.search import terms
from projections.search.query import Clause, Created, Metadata, Query, Text

ENDLESS = 2**63


class Condition(NamedTuple):
    """A condition on rows `s` of projections.search, and the values of its parameters."""

    sql: str
    arguments: Sequence[Any]


def condition(query: Query, scope: Scope, *, first: int) -> Condition:
    """What the query asks of a row; its parameters are numbered from `first` on."""
    fragments: list[str] = []
    arguments: list[Any] = []
    for clause in query.clauses:
        sql, values = _clause(clause, scope)
        numbers = [f"${first + len(arguments) + index}" for index in range(len(values))]
        fragments.append(f"({sql.format(*numbers)})")
        arguments.extend(values)
    return Condition(f" {query.joined_by} ".join(fragments), arguments)


def before(query: Query) -> int:
    """The time before which all that the query can find was created, so that who looks need not begin at the newest."""
    if query.joined_by == "OR":
        return ENDLESS
    return min(_before(clause) for clause in query.clauses)


def _before(clause: Clause) -> int:
    match clause:
        case Created(operator="<", negated=False) | Created(operator=">=", negated=True):
            return clause.at
        case Created(operator="<=" | "=", negated=False) | Created(operator=">", negated=True):
            return clause.at + 1
        case _:
            return ENDLESS


def _clause(clause: Clause, scope: Scope) -> Condition:
    match clause:
        case Text():
            return _text(clause, scope)
        case Metadata():
            return _metadata(clause, scope)
        case Created():
            compared = f"s.created {clause.operator} {{}}::bigint"
            return Condition(f"NOT {compared}" if clause.negated else compared, (clause.at,))
        case _:
            assert_never(clause)


def _text(clause: Text, scope: Scope) -> Condition:
    text, column = terms.folded(clause.text), f"s.{clause.field}"
    holds = f"position({{}}::text in {column}) > 0" if clause.within else f"{column} = {{}}::text"
    if clause.negated:
        return Condition(f"({holds}) IS NOT TRUE", (text,))
    wanted = terms.grams(scope, clause.field, text) if clause.within else [terms.whole(scope, clause.field, text)]
    return Condition(f"s.terms @> {{}}::bigint[] AND {holds}", (wanted, text))


def _metadata(clause: Metadata, scope: Scope) -> Condition:
    key = terms.normalized(clause.key)
    if clause.value is None:
        if clause.negated:
            return Condition("NOT s.metadata ? {}::text", (key,))
        wanted = [terms.key(scope, key)]
        return Condition("s.terms @> {}::bigint[] AND s.metadata ? {}::text", (wanted, key))
    value = terms.normalized(clause.value)
    if clause.negated:
        return Condition("s.metadata ->> {}::text IS DISTINCT FROM {}::text", (key, value))
    wanted = [terms.pair(scope, key, value)]
    return Condition("s.terms @> {}::bigint[] AND s.metadata ->> {}::text = {}::text", (wanted, key, value))
