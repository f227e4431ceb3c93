"""The examples in docstrings of statistics are true."""

import doctest
import importlib
import pkgutil

import pytest

from stream_app.core.drift import statistics

MODULES = [found.name for found in pkgutil.iter_modules(statistics.__path__)]
WITHOUT = {"names", "shares"}
"""One holds names, the other two divisions."""


@pytest.mark.parametrize("name", sorted(set(MODULES) - WITHOUT))
def test_every_statistic_shows_a_true_example(name: str) -> None:
    outcome = doctest.testmod(importlib.import_module(f"{statistics.__name__}.{name}"))
    assert outcome.attempted
    assert not outcome.failed
