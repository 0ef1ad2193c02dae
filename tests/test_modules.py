"""Every module of the product can be imported, by the Python at hand and without a warning."""

import importlib
import pkgutil

import pytest

PACKAGES = ("events", "projections", "webhooks", "service")


def modules() -> list[str]:
    found = list(PACKAGES)
    for package in PACKAGES:
        path = importlib.import_module(package).__path__
        found += [module.name for module in pkgutil.walk_packages(path, f"{package}.")]
    return [name for name in found if not name.endswith("__main__")]


@pytest.mark.parametrize("name", modules())
def test_it_can_be_imported(name: str) -> None:
    importlib.import_module(name)
