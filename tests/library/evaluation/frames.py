"""The same rows as each kind of frame."""

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from lupus import Metrics

Rows = Mapping[str, list[Any]]
FRAMES: dict[str, Callable[[Rows], Any]] = {
    "mapping": dict,
    "pandas": pd.DataFrame,
    "pandas nullable": lambda rows: pd.DataFrame(rows).convert_dtypes(),
    "polars": lambda rows: pl.DataFrame(rows, strict=False),
    "polars lazy": lambda rows: pl.LazyFrame(rows, strict=False),
    "arrow": lambda rows: pa.table(dict(rows)),
}


def same(one: Metrics, two: Metrics, absolute: float = 1e-9) -> bool:
    """Whether names and labels are equal, and values but for rounding."""
    keys = [[(each.name, dict(each.labels)) for each in metrics] for metrics in (one, two)]
    values = [[each.value for each in metrics] for metrics in (one, two)]
    return keys[0] == keys[1] and all(
        a is b is None or (b is not None and a == pytest.approx(b, rel=1e-6, abs=absolute))
        for a, b in zip(*values, strict=True)
    )
