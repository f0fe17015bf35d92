"""One table with every type of column, as pandas, Polars and PyArrow have it."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

from lupus.statistics import Array, Categorical, Numeric, Present, Statistics, Text, Time

BEGIN = datetime(2026, 5, 1, tzinfo=UTC)
AT = datetime(2026, 5, 20, tzinfo=UTC)
SCHEMA = pa.schema(
    {
        "age": pa.int64(),
        "price": pa.float64(),
        "cost": pa.decimal128(12, 2),
        "member": pa.bool_(),
        "country": pa.string(),
        "title": pa.string(),
        "tags": pa.list_(pa.string()),
        "ids": pa.list_(pa.int64()),
        "born": pa.date32(),
        "seen": pa.timestamp("us", "UTC"),
    }
)
EVERYTHING = {
    "age": Numeric("count", "nulls", "mean", "var", "five", "p99", "unique", "same_share", "sum"),
    "price": Numeric(
        *("present_share", "nan", "infinities", "zeros", "zero_share", "mean", "std", "skewness"),
        *("kurtosis", "p1", "p50", "p95", "unique", "same_share", "histogram"),
        edges=[-1, 0, 1, 5],
    ),
    "cost": Numeric(),
    "member": Numeric("mean", "nulls"),
    "country": Categorical(
        *("unique", "entropy", "top1_share", "top3_share", "shares", "nulls"),
        of={"price": Numeric("mean"), "title": Text("length.max")},
    ),
    "title": Text("present_share", "empty", "length.mean", "length.p90"),
    "tags": Array(
        *("present_share", "empty", "element_nulls", "length.mean", "length.max", "unique"),
        *("entropy", "top1_share", "shares", "coverage"),
        catalogue=50,
    ),
    "ids": Array(),
    "born": Categorical("unique", "top1_share", "shares"),
    "seen": Time("present_share", "freshness", "oldest", "span"),
}
WANTED = Statistics(EVERYTHING)
GROUPED = Statistics(EVERYTHING, by=["country", "member"])
ANY = Statistics({name: Present("nulls", "present_share", "count") for name in SCHEMA.names})


def rows(many: int, seed: int) -> list[dict[str, Any]]:
    """Rows with nulls, NaN, infinities, empty texts and arrays, many equal values."""
    random = np.random.default_rng(seed)

    def some(value: Any) -> Any:
        return None if random.random() < 0.1 else value

    def price() -> float:
        odd = [float("nan"), float("inf"), -float("inf"), 0.0, -0.0]
        return float(random.choice(odd)) if random.random() < 0.2 else random.normal()

    def row() -> dict[str, Any]:
        tags = [some(f"t{random.integers(5)}") for _ in range(random.integers(4))]
        return {
            "age": some(int(random.integers(0, 90))),
            "price": some(price()),
            "cost": some(Decimal(int(random.integers(-9999, 9999))) / 100),
            "member": some(bool(random.random() < 0.3)),
            "country": some(str(random.choice(["jp", "us", "", "日本", "null"]))),
            "title": some("é" * int(random.integers(0, 6))),
            "tags": some(tags),
            "ids": some([int(one) for one in random.integers(0, 9, random.integers(3))]),
            "born": some(date(1990, 1, 1) + timedelta(int(random.integers(5)))),
            "seen": some(BEGIN + timedelta(microseconds=int(random.integers(10**12)))),
        }

    return [row() for _ in range(many)]


def arrow(listed: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(listed, schema=SCHEMA)


def polars(listed: list[dict[str, Any]]) -> pl.DataFrame:
    found = pl.from_arrow(arrow(listed))
    assert isinstance(found, pl.DataFrame)
    return found


def pandas(listed: list[dict[str, Any]]) -> pd.DataFrame:
    """Make it of objects, as people do, but for one column with a type of pandas."""
    columns = {name: [row[name] for row in listed] for name in SCHEMA.names}
    frame = pd.DataFrame(
        {name: pd.Series(values, dtype=object) for name, values in columns.items()}
    )
    frame["age"] = frame["age"].astype("Int64")
    frame["seen"] = pd.to_datetime(frame["seen"], utc=True)
    return frame


def pandas_of_arrow(listed: list[dict[str, Any]]) -> pd.DataFrame:
    frame: pd.DataFrame = arrow(listed).to_pandas(types_mapper=pd.ArrowDtype)
    return frame
