"""The query compiler: syntax tree -> (SQL, arguments), with numbered parameters only, so SQL injection is impossible.

A positive clause narrows the search by the index of terms, and the texts decide. A negated clause is evaluated row by
row, newest first.

A search with negated clauses only therefore scans until its page is full: ten customers if nearly all match, and every
customer of the account and mode if nearly none do (about 0.3 microseconds each). No index helps: an inverted index
lists the customers that have a term, and those that lack it are all others. Listing them too would need a term for
every key, text and trigram that a customer lacks, which are unlimited, or one for each that other customers have, so
that the first use of a key would write to every customer. Summaries of ranges of customers (what all of a range have)
would skip ranges for one such clause, but not for two: in a range where half lack the one and half the other nothing
matches, and no summary shows it. Together with a positive clause, negated clauses cost nothing more.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, assert_never

from events.scope import Scope
from projections.search import terms
from projections.search.query import Clause, Created, Metadata, Query, Text

ENDLESS = 2**63


class Condition(NamedTuple):
    """A condition on rows `s` of projections.search, with the values of its parameters."""

    sql: str
    arguments: Sequence[Any]


def condition(query: Query, scope: Scope, *, first: int) -> Condition:
    """The condition of a query; its parameters are numbered from `first`."""
    fragments: list[str] = []
    arguments: list[Any] = []
    for clause in query.clauses:
        sql, values = _clause(clause, scope)
        numbers = [f"${first + len(arguments) + index}" for index in range(len(values))]
        fragments.append(f"({sql.format(*numbers)})")
        arguments.extend(values)
    return Condition(f" {query.joined_by} ".join(fragments), arguments)


def before(query: Query) -> int:
    """The time before which every match was created, so that a scan need not begin at the newest customer."""
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
