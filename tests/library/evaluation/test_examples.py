"""Examples of evaluation, drift and checks run; public names are there."""

import doctest
import pkgutil
from importlib import import_module

import pytest

PACKAGES = ("lupus.evaluation", "lupus.drift", "lupus.checks")
MODULES = [
    module.name
    for package in PACKAGES
    for module in pkgutil.iter_modules(import_module(package).__path__, f"{package}.")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_say_what_happens(name: str) -> None:
    assert doctest.testmod(import_module(name)).failed == 0


@pytest.mark.parametrize("name", PACKAGES)
def test_public_names_are_there_and_described(name: str) -> None:
    package = import_module(name)
    assert package.__all__ == sorted(package.__all__)
    for public in package.__all__:
        assert getattr(package, public).__doc__, public
