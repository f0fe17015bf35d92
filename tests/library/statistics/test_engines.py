"""Every engine gives the same numbers, and parts merge to the whole."""

from collections.abc import Callable
from functools import reduce
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lupus.metrics import Metrics
from lupus.statistics import Statistics, Summary
from tests.library.statistics import tables
from tests.library.statistics.drawn import SEED, parts

ENGINES: dict[str, Callable[[list[dict[str, Any]]], Any]] = {
    "pandas": tables.pandas,
    "pandas of arrow": tables.pandas_of_arrow,
    "polars": tables.polars,
    "polars, lazy": lambda listed: tables.polars(listed).lazy(),
}
SPECS = {"whole": tables.WANTED, "grouped": tables.GROUPED, "presence": tables.ANY}


def assert_same(found: Metrics, wanted: Metrics) -> None:
    """Equal names and labels, and values but for the last digits."""
    values = {(one.name, frozenset(one.labels.items())): one.value for one in found}
    others = {(one.name, frozenset(one.labels.items())): one.value for one in wanted}
    assert values.keys() == others.keys()
    for key, value in others.items():
        if value is None or values[key] is None:
            assert values[key] is value, key
        else:
            assert values[key] == pytest.approx(value, rel=1e-9, abs=1e-9), key


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("engine", ENGINES)
def test_engines_give_the_same_numbers(engine: str, spec: str) -> None:
    listed = tables.rows(400, 17)
    wanted = SPECS[spec].compute(tables.arrow(listed), at=tables.AT)
    found = SPECS[spec].compute(ENGINES[engine](listed), at=tables.AT)
    assert_same(found.metrics(), wanted.metrics())
    if engine == "pandas":
        return  # a column of objects has no more than its values to tell its type by
    assert found.types == wanted.types


@pytest.mark.parametrize("many", [0, 1])
@pytest.mark.parametrize("engine", ["pandas of arrow", "polars"])
def test_engines_give_the_same_of_hardly_any_rows(engine: str, many: int) -> None:
    listed = tables.rows(many, 3)
    for spec in SPECS.values():
        wanted = spec.compute(tables.arrow(listed), at=tables.AT).metrics()
        assert_same(spec.compute(ENGINES[engine](listed), at=tables.AT).metrics(), wanted)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 25), SEED, st.sampled_from(["whole", "grouped"]))
def test_parts_merge_to_the_whole(many: int, seed: int, spec: str) -> None:
    listed = tables.rows(many, seed % 1000)
    wanted = SPECS[spec]

    def summary(of: list[dict[str, Any]]) -> Summary:
        return wanted.compute(tables.arrow(of), at=tables.AT)

    cut = [summary([listed[row] for row in rows]) for rows in parts(many, seed)]
    assert_same(reduce(Summary.merge, cut).metrics(), summary(listed).metrics())
    assert_same(reduce(Summary.merge, cut[::-1]).metrics(), summary(listed).metrics())


@pytest.mark.parametrize("spec", SPECS)
def test_a_summary_reads_back(spec: str) -> None:
    listed = tables.rows(100, 5)
    found = SPECS[spec].compute(tables.arrow(listed), at=tables.AT)
    again = Summary.from_json(found.to_json())
    assert again.metrics() == found.metrics()
    assert again.to_dict() == found.to_dict()
    more = SPECS[spec].compute(tables.arrow(tables.rows(50, 6)), at=tables.AT)
    assert_same((again + more).metrics(), (found + more).metrics())


def test_a_specification_reads_back() -> None:
    for spec in (*SPECS.values(), Statistics(), Statistics(["age"], by={"land": "country"})):
        assert Statistics.from_dict(spec.to_dict()) == spec
