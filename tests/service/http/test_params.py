"""Parameters: what each takes, what the empty string does to it, and which error is reported first, and how."""

from typing import Any

import pytest

from events.errors import Refusal
from service.http import params
from service.http.params import Parameters
from service.http.params.customer import CreateCustomer, ListCustomers, UpdateCustomer

EMPTY = "parameter_invalid_empty"
INTEGER = "parameter_invalid_integer"


def refused(model: type[Parameters], raw: dict[str, Any]) -> tuple[str | None, str | None, str]:
    with pytest.raises(Refusal) as raised:
        params.parse(model, raw)
    return raised.value.code, raised.value.param, raised.value.message


def parsed(**raw: Any) -> dict[str, Any]:
    """The patch that parameters of an update come to."""
    return dict(params.parse(UpdateCustomer, raw).patch())


@pytest.mark.parametrize(
    ("name", "limit"),
    [("description", 5000), ("name", 256), ("business_name", 150), ("individual_name", 150), ("phone", 20)],
)
def test_lengths_are_counted_in_characters(name: str, limit: int) -> None:
    for letter in ("x", "é", "💩"):
        assert parsed(**{name: letter * limit}) == {name: letter * limit}
        message = refused(UpdateCustomer, {name: letter * (limit + 1)})
        shown = letter * 21 if limit == 20 else f"{letter * 12}...{letter * 12}"
        assert message == (None, name, f"Invalid string: {shown}; must be at most {limit} characters")


def test_an_email_has_512_characters_at_most() -> None:
    assert parsed(email="x" * 507 + "@a.bc")
    assert refused(UpdateCustomer, {"email": "x" * 508 + "@a.bc"})[2].endswith("must be at most 512 characters")


@pytest.mark.parametrize("name", ["city", "country", "line1", "line2", "postal_code", "state"])
def test_the_parts_of_an_address_are_texts_that_may_be_empty(name: str) -> None:
    assert getattr(parsed(address={name: ""})["address"], name) == ""
    assert getattr(parsed(address={})["address"], name) is None
    code, param, _ = refused(UpdateCustomer, {"address": {name: "x" * 5001}})
    assert (code, param) == (None, f"address[{name}]")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("address", None),
        ("business_name", None),
        ("description", None),
        ("email", None),
        ("individual_name", None),
        ("metadata", None),
        ("name", None),
        ("phone", None),
        ("preferred_locales", ()),
        ("shipping", None),
        ("tax_exempt", "none"),
    ],
)
def test_the_empty_string_unsets(name: str, value: Any) -> None:
    assert parsed(**{name: ""}) == {name: value}


@pytest.mark.parametrize("name", ["custom_fields", "footer", "rendering_options"])
def test_the_empty_string_unsets_each_invoice_setting(name: str) -> None:
    assert parsed(invoice_settings={name: ""}) == {"invoice_settings": {name: None}}


@pytest.mark.parametrize(
    ("raw", "code", "param"),
    [
        ({"invoice_prefix": ""}, EMPTY, "invoice_prefix"),
        ({"invoice_settings": ""}, EMPTY, "invoice_settings"),
        ({"next_invoice_sequence": ""}, INTEGER, "next_invoice_sequence"),
        ({"shipping": {"address": "", "name": "x"}}, EMPTY, "shipping[address]"),
        ({"shipping": {"address": {}, "name": ""}}, EMPTY, "shipping[name]"),
        ({"shipping": {"address": {}, "name": "  "}}, "parameter_invalid_string_blank", "shipping[name]"),
        (
            {"invoice_settings": {"custom_fields": {"0": {"name": "", "value": "x"}}}},
            EMPTY,
            "invoice_settings[custom_fields][0][name]",
        ),
    ],
)
def test_the_empty_string_is_refused_where_there_is_nothing_to_unset(raw: Any, code: str, param: str) -> None:
    assert refused(UpdateCustomer, raw)[:2] == (code, param)
    if code == EMPTY:
        assert "cannot be unset" in refused(UpdateCustomer, raw)[2]


@pytest.mark.parametrize(
    "email",
    ["a@com", "a", "@a.co", "a@", "a@b@c.co", " a@b.co", "a@b.co ", "a@b.co\n", "a b@c.co", "a\uff20b.co", "a@b.",
     "a@.co"],
)  # fmt: skip
def test_what_is_no_email_address_is_quoted(email: str) -> None:
    assert refused(CreateCustomer, {"email": email}) == ("email_invalid", "email", f"Invalid email address: {email}")


@pytest.mark.parametrize("email", ["a@b.co", "A+tag@Sub.Example.COM", "用户@例子.公司", "o'neil@b.co", "a.b..c@d.co"])
def test_an_email_address_is_kept_as_it_was_given(email: str) -> None:
    assert parsed(email=email) == {"email": email}


@pytest.mark.parametrize("prefix", ["A", "0", "ABCDEF012345"])
def test_an_invoice_prefix_is_one_to_twelve_capitals_or_digits(prefix: str) -> None:
    assert parsed(invoice_prefix=prefix) == {"invoice_prefix": prefix}


@pytest.mark.parametrize("prefix", ["a", "A-B", "ABCDEF0123456", "É", "A\n", "\u0661"])
def test_another_invoice_prefix_is_refused(prefix: str) -> None:
    assert refused(UpdateCustomer, {"invoice_prefix": prefix})[:2] == (None, "invoice_prefix")


@pytest.mark.parametrize("number", ["1.0", "1e3", "+1", " 1", "0x1", "\u0661", "1_000", "", "one", "-", "9" * 19])
def test_an_integer_is_digits(number: str) -> None:
    shown = number
    assert refused(UpdateCustomer, {"next_invoice_sequence": number}) == (
        INTEGER, "next_invoice_sequence", f"Invalid integer: {shown}",
    )  # fmt: skip


def test_an_invoice_sequence_begins_at_one() -> None:
    assert parsed(next_invoice_sequence="001") == {"next_invoice_sequence": 1}
    assert refused(UpdateCustomer, {"next_invoice_sequence": "0"}) == (
        None, "next_invoice_sequence", "This value must be greater than or equal to 1.",
    )  # fmt: skip


def test_a_choice_lists_what_may_be_chosen() -> None:
    assert refused(UpdateCustomer, {"tax_exempt": "maybe"}) == (
        None, "tax_exempt", "Invalid tax_exempt: must be one of none, exempt or reverse",
    )  # fmt: skip
    raw = {"invoice_settings": {"rendering_options": {"amount_tax_display": "no"}}}
    assert "must be one of exclude_tax or include_inclusive_tax" in refused(UpdateCustomer, raw)[2]
    cleared = parsed(invoice_settings={"rendering_options": {"amount_tax_display": "", "template": ""}})
    assert cleared["invoice_settings"]["rendering_options"].amount_tax_display is None


def test_custom_fields_are_four_at_most_and_short() -> None:
    field = {"name": "n" * 40, "value": "v" * 140}
    assert len(parsed(invoice_settings={"custom_fields": [field] * 4})["invoice_settings"]["custom_fields"]) == 4
    where = "invoice_settings[custom_fields]"
    for fields, param in (
        ([field] * 5, where),
        ([field, {**field, "name": "n" * 41}], f"{where}[1][name]"),
        ([{**field, "value": "v" * 141}], f"{where}[0][value]"),
        ("x", where),
        (["x"], f"{where}[0]"),
    ):
        assert refused(UpdateCustomer, {"invoice_settings": {"custom_fields": fields}})[:2] == (None, param)
    missing = refused(UpdateCustomer, {"invoice_settings": {"custom_fields": {"7": {"name": "n"}}}})
    assert missing[:2] == ("parameter_missing", f"{where}[7][value]"), "the number is the sender's"


@pytest.mark.parametrize(
    ("raw", "param", "message"),
    [
        ({"address": "x"}, "address", "Invalid object"),
        ({"address": ["x"]}, "address", "Invalid object"),
        ({"shipping": "x"}, "shipping", "Invalid object"),
        ({"invoice_settings": "x"}, "invoice_settings", "Invalid object"),
        ({"preferred_locales": "x"}, "preferred_locales", "Invalid array"),
        ({"preferred_locales": {"a": "x"}}, "preferred_locales", "Invalid array"),
        ({"preferred_locales": [{"a": "x"}]}, "preferred_locales[0]", "Invalid string: {'a': 'x'}"),
        ({"expand": "x"}, "expand", "Invalid array"),
        ({"name": {"a": "x"}}, "name", "Invalid string: {'a': 'x'}"),
        ({"name": ["x"]}, "name", "Invalid string: ['x']"),
        ({"tax_exempt": ["x"]}, "tax_exempt", "Invalid tax_exempt: must be one of none, exempt or reverse"),
    ],
)
def test_a_value_of_the_wrong_shape_is_refused(raw: Any, param: str, message: str) -> None:
    assert refused(UpdateCustomer, raw) == (None, param, message)


@pytest.mark.parametrize(
    ("metadata", "param", "sense"),
    [
        ({f"k{n}": "v" for n in range(51)}, "metadata", "up to 50 keys, but you've set 51"),
        ({"k" * 41: "v"}, "metadata", "1 to 40 characters"),
        ({"": "v"}, "metadata", "1 to 40 characters"),
        ({"k": "v" * 501}, "metadata[k]", "at most 500 characters"),
        ({"k": {"l": "v"}}, "metadata[k]", "must be strings"),
        ({"k": ["v"]}, "metadata[k]", "must be strings"),
        ("x", "metadata", "a hash"),
        (["x"], "metadata", "a hash"),
    ],
)
def test_metadata_over_a_limit_is_refused(metadata: Any, param: str, sense: str) -> None:
    code, blamed, message = refused(UpdateCustomer, {"metadata": metadata})
    assert (code, blamed) == (None, param)
    assert sense in message


def test_metadata_up_to_its_limits_is_taken() -> None:
    full = {f"{n:040}": "é" * 500 for n in range(50)}
    assert parsed(metadata=full) == {"metadata": full}
    assert len(parsed(metadata={**full, "deleted": ""})["metadata"]) == 51


def test_errors_are_reported_in_the_order_of_parameters() -> None:
    """Unknown ones first, all of them as they were sent; then missing ones; then the first of the wrong ones."""
    wrong = {"email": "x", "shipping": {"phone": "1"}, "zoo": "1", "address": {"bar": ""}, "foo": ""}
    assert refused(UpdateCustomer, wrong) == (
        "parameter_unknown", "zoo", "Received unknown parameters: zoo, address[bar], foo",
    )  # fmt: skip
    del wrong["zoo"], wrong["foo"], wrong["address"]
    assert refused(UpdateCustomer, wrong) == (
        "parameter_missing", "shipping[address]", "Missing required param: shipping[address].",
    )  # fmt: skip
    del wrong["shipping"]
    assert refused(UpdateCustomer, wrong)[0] == "email_invalid"


def test_unknown_parameters_are_found_at_any_depth() -> None:
    raw = {"invoice_settings": {"custom_fields": {"0": {"name": "n", "value": "v", "x": "1"}}}}
    assert refused(UpdateCustomer, raw)[:2] == ("parameter_unknown", "invoice_settings[custom_fields][0][x]")
    gaps = {"invoice_settings": {"custom_fields": {"4": {"name": "n", "value": "v", "x": "1"}}}, "y": "1"}
    assert refused(UpdateCustomer, gaps)[2].endswith(": invoice_settings[custom_fields][4][x], y")


def test_what_was_not_sent_is_not_in_the_patch() -> None:
    assert parsed() == {}
    assert parsed(expand=["sources"]) == {}
    assert parsed(invoice_settings={}) == {}


def test_an_email_to_look_for_is_any_text() -> None:
    assert params.parse(ListCustomers, {"email": "not an address"}).email == "not an address"
