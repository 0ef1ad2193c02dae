"""What is taken for a tax id of each of the 135 types, and how it is kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events import tax_id_types
from events.countries import COUNTRIES
from service.commands.tax_id_formats import MODULES, number
from tests.service.http.tax_id_samples import SAMPLES

TYPES = sorted(tax_id_types.SHAPES)
SHAPELESS = {
    type for type, [shape, *_] in tax_id_types.SHAPES.items() if shape.pattern.pattern == tax_id_types.UNPUBLISHED
}


def test_there_are_135_types_with_samples_of_each_of_their_countries() -> None:
    assert len(TYPES) == 135
    assert {(type, country) for type, country, _ in SAMPLES} == {
        (type, shape.country) for type, shapes in tax_id_types.SHAPES.items() for shape in shapes
    }
    assert {country for _, country, _ in SAMPLES} - COUNTRIES == {None, "XI"}
    assert {type for type, country, _ in SAMPLES if country is None} == {"eu_oss_vat"}
    assert MODULES.keys() <= set(TYPES) - SHAPELESS


@pytest.mark.parametrize(("type", "country", "value"), SAMPLES)
def test_a_sample_is_taken_as_it_is_published(type: str, country: str | None, value: str) -> None:
    assert number(type, value) == (value, country)
    assert number(type, f" {value.lower()}\t") == (value, country)


@pytest.mark.parametrize(("type", "country", "value"), [sample for sample in SAMPLES if sample[0] not in SHAPELESS])
def test_what_has_another_shape_is_not(type: str, country: str | None, value: str) -> None:
    for other in (
        "",
        "?",
        value[:1],
        f"{value}?",
        f"?{value}",
        f"{value}\n0",
        f"{value}{value}",
        value[:-1] + "\u0661",
    ):
        assert number(type, other) is None


@pytest.mark.parametrize("type", sorted(SHAPELESS))
def test_where_no_shape_is_published_fifty_printable_characters_are_taken(type: str) -> None:
    assert len(SHAPELESS) == 24
    for value in ("1", "X" * 50, "A 1/B-2"):
        assert number(type, value) == (value, type[:2].upper() if type != "ic_nif" else "ES")
    for value in ("", "  ", "X" * 51, "1\n2", "1\0002", "1\u200b2"):
        assert number(type, value) is None


@pytest.mark.parametrize("digit", "012")
def test_the_numbers_for_tests_are_taken_though_nobody_has_them(digit: str) -> None:
    for value in (f"DE{digit * 9}", f"ATU{digit * 8}", f"FR{digit * 11}", f"XI{digit * 9}"):
        assert number("eu_vat", value)
    assert number("gb_vat", f"GB{digit * 9}")
    assert number("au_abn", digit * 11)


@pytest.mark.parametrize(
    ("type", "given", "kept"),
    [
        ("au_abn", "83 914 571 673", "83914571673"),
        ("br_cnpj", "16.727.230/0001-97", "16.727.230/0001-97"),
        ("ch_uid", "CHE100155212", "CHE-100.155.212"),
        ("ch_vat", "che107787577iva", "CHE-107.787.577 IVA"),
        ("cl_tin", "125319092", "12.531.909-2"),
        ("do_rcn", "00113918205", "001-1391820-5"),
        ("es_cif", "J-99216582", "J99216582"),
        ("eu_vat", "DE 136.695 976", "DE136695976"),
        ("eu_vat", "el 094259216", "EL094259216"),
        ("gb_vat", "GB 980 7806 84", "GB980780684"),
    ],
)
def test_a_right_number_is_taken_in_other_spellings_and_kept_in_the_published_one(
    type: str, given: str, kept: str
) -> None:
    found = number(type, given)
    assert found is not None
    assert found.value == kept


@pytest.mark.parametrize(
    ("type", "given"),
    [("au_abn", "83 914 571 674"), ("ch_uid", "CHE100155213"), ("eu_vat", "DE 136 695 970"), ("eu_vat", "GB980780684")],
)
def test_a_wrong_number_is_not(type: str, given: str) -> None:
    assert number(type, given) is None


DIGITS = st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ .-/", max_size=22)


@given(st.sampled_from(TYPES), st.text(max_size=60) | DIGITS)
def test_any_text_is_taken_or_not(type: str, value: str) -> None:
    found = number(type, value)
    if found is not None:
        assert number(type, found.value) == found
        assert found.value.isprintable()


@given(st.data())
def test_any_text_of_the_shape_is_taken_as_it_is(data: st.DataObject) -> None:
    type = data.draw(st.sampled_from(TYPES))
    shape = data.draw(st.sampled_from(tax_id_types.SHAPES[type]))
    value = data.draw(st.from_regex(shape.pattern, fullmatch=True))
    found = number(type, value)
    if value == value.strip().upper() and value.isprintable():
        assert found is not None
        assert found.value == value
