"""What docs/statistics.md and the docstrings show runs, and every name is there."""

import doctest
import importlib
import pkgutil
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

import lupus.statistics
from lupus.statistics import Statistics
from lupus.statistics.catalog import KINDS

PAGE = (Path(__file__).parents[3] / "docs" / "statistics.md").read_text()
MODULES = [
    one.name for one in pkgutil.walk_packages(lupus.statistics.__path__, "lupus.statistics.")
]
FRAME = pd.DataFrame(
    {
        "age": [31, 45],
        "price": [1.0, 50.0],
        "country": ["jp", "us"],
        "tags": [["a"], []],
        "title": ["x", "yz"],
        "created_at": pd.to_datetime(["2026-05-01", "2026-05-02"]),
        "Region Name": ["east", None],
    }
)


@pytest.mark.parametrize("module", MODULES)
def test_examples_of_docstrings_run(module: str) -> None:
    assert doctest.testmod(importlib.import_module(module)).failed == 0


def test_what_the_page_declares_computes() -> None:
    code = next(
        one for one in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "Array(" in one
    )
    known: dict[str, Any] = {"frame": FRAME, "now": datetime(2026, 5, 3, tzinfo=UTC)}
    exec(code, known)
    found = known["wanted"].compute(FRAME, at=known["now"]).metrics()
    assert {one.labels["region"] for one in found} == {"east", "(null)"}
    names = {one.name for one in found}
    assert {"price.histogram", "country.price.mean", "tags.coverage"} <= names
    assert "created_at.freshness" in names
    listed = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0])
    assert Statistics.from_dict(listed).compute(FRAME).metrics()


def test_the_page_names_every_metric() -> None:
    table = PAGE.split("## Names of metrics")[1].split("## Merge")[0]
    for kind in KINDS.values():
        for name in kind.allowed:
            shown = {
                "p<0-100>": "p99.9",
                "top<k>_share": "top1_share",
                "length.<numeric>": "length.",
            }
            assert shown.get(name, name) in table, name
