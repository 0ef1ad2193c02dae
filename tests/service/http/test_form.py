"""The form decoder: every spelling of every client means the same, and nothing but a Refusal comes of nonsense."""

from contextlib import suppress
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.errors import Refusal
from service.http import form
from service.http.form import FormValue
from service.http.params.fields import array

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="[]\0"), min_size=1, max_size=8).filter(
    lambda name: not name.isdecimal()
)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
TREES = st.dictionaries(
    NAMES,
    st.recursive(
        TEXTS,
        lambda inner: (
            st.dictionaries(NAMES, inner, min_size=1, max_size=3)
            | st.lists(TEXTS, min_size=1, max_size=3)
            | st.lists(st.dictionaries(NAMES, TEXTS, min_size=1, max_size=3), min_size=1, max_size=3)
        ),
        max_leaves=8,
    ),
    min_size=1,
    max_size=4,
)

DEEP = st.recursive(TEXTS, lambda inner: st.dictionaries(NAMES, inner, min_size=1, max_size=2), max_leaves=4)


def _beginning_with(key: str) -> st.SearchStrategy[Any]:
    """Arrays of hashes whose first key is the same, so that it marks where each of them begins."""
    hashes = st.dictionaries(NAMES.filter(lambda name: name != key), DEEP, max_size=3)
    return st.lists(hashes.map(lambda more: {key: "first", **more}), min_size=1, max_size=3)


ALIKE = NAMES.flatmap(_beginning_with)
BY_HAND = st.dictionaries(NAMES, TEXTS | st.lists(TEXTS, min_size=1, max_size=3) | ALIKE, min_size=1, max_size=4)


def pairs(tree: Any, prefix: str = "", *, numbered: bool = True) -> list[tuple[str, str]]:
    """A tree flattened: arrays by number as the official clients do, or without as people do by hand."""
    if isinstance(tree, str):
        return [(prefix, tree)]
    if isinstance(tree, list):
        items = [(index if numbered else "", value) for index, value in enumerate(tree)]
    else:
        items = tree.items()
    return [
        pair
        for key, value in items
        for pair in pairs(value, f"{prefix}[{key}]" if prefix else str(key), numbered=numbered)
    ]


def in_python(tree: Any) -> str:
    """As the client for Python writes a body: brackets literal, blanks as plus signs."""
    return "&".join(f"{_literal(quote_plus(name))}={quote_plus(text)}" for name, text in pairs(tree))


def in_python_query(tree: Any) -> str:
    """As the client for Python writes a query: brackets percent-encoded."""
    return "&".join(f"{quote_plus(name)}={quote_plus(text)}" for name, text in pairs(tree))


def in_node(tree: Any) -> str:
    """As the client for Node.js writes both: brackets literal, blanks as %20."""
    return "&".join(f"{_literal(quote(name, safe=''))}={quote(text, safe='')}" for name, text in pairs(tree))


def _literal(name: str) -> str:
    return name.replace("%5B", "[").replace("%5D", "]")


def closed(value: FormValue) -> Any:
    """A decoded tree with its numbered elements made arrays, as parameters that are arrays make them."""
    if isinstance(value, dict):
        value = array({key: closed(inner) for key, inner in value.items()})
    return value


@given(TREES)
@pytest.mark.parametrize("spelled", [in_python, in_python_query, in_node])
def test_what_a_client_flattens_is_put_together_again(spelled: Any, tree: Any) -> None:
    assert {name: closed(value) for name, value in form.decode(spelled(tree)).items()} == tree
    assert form.decode(spelled(tree).encode()) == form.decode(spelled(tree))


@given(BY_HAND)
def test_what_is_written_by_hand_for_curl_is_put_together(tree: Any) -> None:
    text = "&".join(f"{_literal(quote_plus(name))}={quote_plus(value)}" for name, value in pairs(tree, numbered=False))
    assert form.decode(text) == tree


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_decoded_or_refused(body: bytes) -> None:
    _decoded_or_refused(body)


@given(
    st.lists(st.sampled_from(["a", "b", "[", "]", "[]", "[0]", "[a]", "=", "&", "%", "%5B", "%00", "+", "é", "\ud800"]))
)
def test_brackets_of_any_kind_are_decoded_or_refused(parts: list[str]) -> None:
    text = "".join(parts)
    _decoded_or_refused(text)
    _decoded_or_refused(text.encode(errors="surrogatepass"))


def _decoded_or_refused(body: bytes | str) -> None:
    with suppress(Refusal):
        form.decode(body)


@pytest.mark.parametrize(
    ("body", "decoded"),
    [
        ("", {}),
        ("&&", {}),
        ("a=b%26c=d&e=f", {"a": "b&c=d", "e": "f"}),
        ("a%3db=c&d%3De", {"a=b": "c", "d=e": ""}),
        ("a=%2526&b=c", {"a": "%26", "b": "c"}),
        ("a", {"a": ""}),
        ("a=", {"a": ""}),
        ("a=1&a=2", {"a": "2"}),
        ("a=b=c", {"a": "b=c"}),
        ("a=%2B+%20", {"a": "+  "}),
        ("a=é", {"a": "é"}),
        ("a=%C3%A9", {"a": "é"}),
        ("a%5Bb%5D[c]=1", {"a": {"b": {"c": "1"}}}),
        ("a[]=x&a[]=y", {"a": ["x", "y"]}),
        ("a[1]=y&a[0]=x", {"a": {"1": "y", "0": "x"}}),
        ("a[0][k]=1&a[1][k]=2", {"a": {"0": {"k": "1"}, "1": {"k": "2"}}}),
        ("a[][k]=1&a[][l]=2&a[][k]=3", {"a": [{"k": "1", "l": "2"}, {"k": "3"}]}),
        ("a[][b][c]=1&a[][b][d]=2&a[][b][c]=3", {"a": [{"b": {"c": "1", "d": "2"}}, {"b": {"c": "3"}}]}),
        ("a[][k][]=1&a[][k][]=2&a[][l]=3&a[][l]=4", {"a": [{"k": ["1", "2"], "l": "3"}, {"l": "4"}]}),
        ("a[][b][][c]=1&a[][b][][c]=2", {"a": [{"b": [{"c": "1"}, {"c": "2"}]}]}),
        ("a[b][]=1&a[b][]=2", {"a": {"b": ["1", "2"]}}),
        ("a[b]=1&a[b]=2", {"a": {"b": "2"}}),
        ("metadata[a b]=1", {"metadata": {"a b": "1"}}),
        ("a[b=1", {"a[b": "1"}),
        ("a]=1", {"a]": "1"}),
        ("[a]=1", {"[a]": "1"}),
        ("metadata[a[b]]=1", {"metadata[a[b]]": "1"}),
        ("%zz=1", {"%zz": "1"}),
    ],
)
def test_a_form_decodes_so(body: str, decoded: dict[str, FormValue]) -> None:
    assert form.decode(body) == decoded


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ("a[b]=1&a=2", "a"),
        ("a=2&a[b]=1", "a"),
        ("a[]=1&a[b]=2", "a"),
        ("a[b]=1&a[b][c]=2", "a"),
        ("a[][]=1", "a"),
        ("a[b][][][c]=1", "a"),
        ("a[][b]=1&a[][b][c]=2", "a"),
        ("a" + "[b]" * 10 + "=1", "a"),
        ("a=%00", None),
        ("a=%FF", None),
        ("&".join(f"a{n}=1" for n in range(1001)), None),
    ],
)
def test_a_form_that_contradicts_itself_is_refused(body: str, param: str | None) -> None:
    with pytest.raises(Refusal) as refused:
        form.decode(body)
    assert refused.value.param == param


def test_limits_are_met_exactly() -> None:
    assert len(form.decode("&".join(f"a{n}=1" for n in range(1000)))) == 1000
    form.decode("a" + "[b]" * 9 + "=1")


def test_numbered_elements_stand_in_the_order_of_their_numbers() -> None:
    assert array({"10": "c", "2": "b", "0": "a"}) == ["a", "b", "c"]
    assert array({"0": "a", "x": "b"}) == {"0": "a", "x": "b"}
    assert array(["a"]) == ["a"]
