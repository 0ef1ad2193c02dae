"""The search language: what is a query, what it means, and what is wrong with what is none."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from events.errors import Refusal
from events.scope import Scope
from projections.search import terms
from projections.search.compile import ENDLESS, before, condition
from projections.search.query import Clause, Created, Metadata, Query, Text, parse


def text(field: str, value: str, *, within: bool = False, negated: bool = False) -> Text:
    return Text(field, within, value, negated)


@pytest.mark.parametrize(
    ("spelled", "clauses", "joined_by"),
    [
        ("email:'a@b.co'", [text("email", "a@b.co")], "AND"),
        ('name~"ada"', [text("name", "ada", within=True)], "AND"),
        ('-phone:"+1 555"', [text("phone", "+1 555", negated=True)], "AND"),
        (
            "name:'fakename' AND metadata['foo']:'bar'",
            [text("name", "fakename"), Metadata("foo", "bar", False)],
            "AND",
        ),
        ("name:'a' email:'b'", [text("name", "a"), text("email", "b")], "AND"),
        ("name:'a' and email:'b' name:'c'", [text("name", "a"), text("email", "b"), text("name", "c")], "AND"),
        ("name:'a' or email:'b' OR name:'c'", [text("name", "a"), text("email", "b"), text("name", "c")], "OR"),
        ('metadata["key"]:null', [Metadata("key", None, True)], "AND"),
        ('-metadata["key"]:NULL', [Metadata("key", None, False)], "AND"),
        ('-metadata["key"]:"null"', [Metadata("key", "null", True)], "AND"),
        ('metadata["a b"]:66', [Metadata("a b", "66", False)], "AND"),
        ("created>1700000000", [Created(">", 1_700_000_000, False)], "AND"),
        ('created<="1700000000"', [Created("<=", 1_700_000_000, False)], "AND"),
        ("-created:-5", [Created("=", -5, True)], "AND"),
        (r"name:'O\'Neill' name:'a\\b'", [text("name", "O'Neill"), text("name", "a\\b")], "AND"),
        ("  name :\n'AND or \"' ", [text("name", 'AND or "')], "AND"),
        ("name:'orange' ORname:'x'", None, ""),
    ],
)
def test_a_query_means_its_clauses(spelled: str, clauses: list[Clause] | None, joined_by: str) -> None:
    if clauses is None:
        with pytest.raises(Refusal):
            parse(spelled)
    else:
        assert parse(spelled) == Query(tuple(clauses), joined_by)  # type: ignore[arg-type]  # a literal


@pytest.mark.parametrize(
    ("spelled", "says"),
    [
        ("", "empty"),
        (" ", "empty"),
        ("name", "ends unexpectedly"),
        ("name:", "ends unexpectedly"),
        ("name:'a' AND", "ends unexpectedly"),
        ("AND name:'a'", "character 5"),
        ("name:'a", "character 6"),
        ("name:ada", "must be quoted"),
        ("name:5", "must be quoted"),
        ("name='a'", "character 5"),
        ("(name:'a')", "Parentheses"),
        ("name:'a' AND (email:'b' OR email:'c')", "Parentheses"),
        ("name:'a' AND email:'b' OR phone:'c'", "cannot be mixed"),
        ("name:'a' OR email:'b' phone:'c'", "cannot be mixed"),
        ("city:'x'", "field 'city'"),
        ("name>'x'", "operator '>'"),
        ("metadata['a']~'xyz'", "operator '~'"),
        ("created~5", "operator '~'"),
        ("metadata:'x'", "by key"),
        ("name['x']:'x'", "by key"),
        ("name~'ab'", "at least 3"),
        ("created>'soon'", "whole number"),
        ("created>1.5", "whole number"),
        ("created>99999999999999999999", "whole number"),
        ("metadata['a']:value", "must be quoted"),
        (" ".join(["name:'a'"] * 11), "up to 10 clauses"),
    ],
)
def test_an_invalid_query_is_refused_with_the_reason(spelled: str, says: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse(spelled)
    assert (caught.value.code, caught.value.param) == (None, "query")
    assert says in caught.value.message


def test_ten_clauses_are_taken() -> None:
    assert len(parse(" AND ".join(["name:'a'"] * 10)).clauses) == 10


pieces = st.sampled_from(
    [
        "",
        "AND",
        "or",
        "-",
        "name",
        "email",
        "created",
        "metadata",
        "['k']",
        ":",
        "~",
        "<",
        ">=",
        "'abc'",
        '"x\\"y"',
        "5",
        "null",
        "(",
        ")",
        "'",
        '"',
        "\\",
        "[",
        "]",
        "é",
        "\x00",
    ]
)


@given(st.lists(pieces, max_size=14).map("".join) | st.text(max_size=60))
@example("name:'\\'")
def test_any_text_is_a_query_or_refused(spelled: str) -> None:
    try:
        clauses, param = len(parse(spelled).clauses), "query"
    except Refusal as refusal:
        clauses, param = 1, refusal.param or ""
    assert 1 <= clauses <= 10
    assert param == "query"


values = st.text(min_size=3, max_size=8)
trees = st.lists(
    st.builds(Text, st.sampled_from(["email", "name", "phone"]), st.booleans(), values, st.booleans())
    | st.builds(Metadata, values, st.none() | values, st.booleans())
    | st.builds(Created, st.sampled_from(["=", "<", ">", "<=", ">="]), st.integers(0, 2**40), st.booleans()),
    min_size=1,
    max_size=10,
)


def quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def spell(clause: Clause) -> str:
    match clause:
        case Text():
            return f"{'-' * clause.negated}{clause.field}{'~' if clause.within else ':'}{quoted(clause.text)}"
        case Metadata(value=None):
            return f"{'-' * (not clause.negated)}metadata[{quoted(clause.key)}]:null"
        case Metadata():
            return f"{'-' * clause.negated}metadata[{quoted(clause.key)}]:{quoted(clause.value or '')}"
        case Created():
            return (
                f"{'-' * clause.negated}created{clause.operator.replace('=', ':', clause.operator == '=')}{clause.at}"
            )


@given(trees, st.sampled_from(["AND", "OR"]))
def test_what_is_spelled_out_is_read_back(clauses: list[Clause], joined_by: str) -> None:
    query = parse(f" {joined_by} ".join(map(spell, clauses)))
    assert query.clauses == tuple(clauses)
    assert query.joined_by == joined_by or len(clauses) == 1


@given(trees)
def test_nothing_a_caller_wrote_is_part_of_the_statement(clauses: list[Clause]) -> None:
    marked = [Text(c.field, c.within, f"{c.text}';--", c.negated) if isinstance(c, Text) else c for c in clauses]
    where = condition(Query(tuple(marked)), Scope("acct_1", False), first=6)
    assert "'" not in where.sql
    assert where.sql.count("$") == len(where.arguments)


def test_a_condition_numbers_its_parameters_from_a_given_start() -> None:
    where = condition(parse("name~'abcd' OR -metadata['k']:'v' OR created>5"), Scope("acct_1", False), first=6)
    assert where.sql == (
        "(s.terms @> $6::bigint[] AND position($7::text in s.name) > 0) OR "
        "(s.metadata ->> $8::text IS DISTINCT FROM $9::text) OR (s.created > $10::bigint)"
    )
    assert [value for value in where.arguments if not isinstance(value, list)] == ["abcd", "k", "v", 5]
    assert len(where.arguments[0]) == 2


@pytest.mark.parametrize(
    ("spelled", "time"),
    [
        ("created<5", 5),
        ("created<=5", 6),
        ("created:5", 6),
        ("-created>5", 6),
        ("-created>=5", 5),
        ("created<9 name:'a' created<7 created<8", 7),
        ("created>5", ENDLESS),
        ("-created<5", ENDLESS),
        ("-created:5", ENDLESS),
        ("name:'a'", ENDLESS),
        ("created<5 OR name:'a'", ENDLESS),
        (f"created<={2**63 - 1}", ENDLESS),
    ],
)
def test_a_query_gives_the_latest_creation_time_that_it_can_match(spelled: str, time: int) -> None:
    assert before(parse(spelled)) == time


def test_texts_are_normalized_that_may_be_stored_and_no_longer_ones() -> None:
    longest = "\u0390" * 512  # which decomposes into three letters
    assert terms.folded(unicodedata.normalize("NFD", longest)) == terms.folded(longest)
    marks = "a" + "\u0301\u0323" * 2400  # to be put in order, which takes time by the square of their number
    assert terms.folded(marks) == terms.normalized(marks) == marks
