"""The page that names a test for every parameter and attribute: it is whole, and what it names is there."""

import re
from pathlib import Path

import pytest

from service.http.params.customer import CreateCustomer, ListCustomers, UpdateCustomer
from service.http.params.search import SearchCustomers
from service.http.schemas.customer import Customer

ROOT = Path(__file__).parents[3]
HERE = "tests/service/http/"
PAGE = (ROOT / "service/http/REFERENCE.md").read_text()


def rows(heading: str) -> dict[str, str]:
    """The rows of the table under a heading, by their first cell."""
    table = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", table, re.MULTILINE))


def names_of(model: type) -> set[str]:
    fields = model.model_fields  # type: ignore[attr-defined]  # a pydantic model
    return {field.alias or name for name, field in fields.items()}


def test_every_parameter_is_there_with_the_operations_that_take_it() -> None:
    taken = rows("Parameters")
    for operation, model in (("create", CreateCustomer), ("update", UpdateCustomer), ("list", ListCustomers)):
        assert {name for name, cells in taken.items() if operation in cells.partition(" | ")[0]} == names_of(model)
    assert set(rows("Parameters of search")) == names_of(SearchCustomers)


def test_every_attribute_is_there() -> None:
    assert set(rows("Attributes")) == names_of(Customer) | {"deleted"}


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`((?:tests/[\w/]+/)?test_\w+\.py(?:::\w+)?)`", PAGE))))
def test_what_is_named_exists(named: str) -> None:
    file, _, test = named.partition("::")
    text = (ROOT / (file if file.startswith("tests/") else HERE + file)).read_text()
    assert f"def {test}(" in text or not test
