"""The table: 39 columns of numbers and 11 of texts, some with nulls, as Parquet."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

NUMBERS, TEXTS = 39, 11
PARTS = 6


def write(folder: Path, rows: int) -> Path:
    """Write the table in six files, as jobs leave them; the same rows give the same table."""
    path = folder / f"table-{rows}"
    if not (path / "_SUCCESS").exists():
        path.mkdir(parents=True, exist_ok=True)
        for part in range(PARTS):
            many = rows * (part + 1) // PARTS - rows * part // PARTS
            pq.write_table(_part(np.random.default_rng(part), many), path / f"part-{part}.parquet")
        (path / "_SUCCESS").touch()
    return path


def _part(random: np.random.Generator, rows: int) -> pa.Table:
    columns = {f"number{at}": _numbers(random, rows, at) for at in range(NUMBERS)}
    texts = {f"text{at}": _texts(random, rows, at) for at in range(TEXTS)}
    return pa.table({**columns, **texts})


def _numbers(random: np.random.Generator, rows: int, at: int) -> pa.Array:
    kinds = (
        lambda: random.normal(size=rows),
        lambda: random.lognormal(3, 1, rows),
        lambda: np.where(random.random(rows) < 0.3, 0.0, random.gamma(2, 10, rows)),
        lambda: random.integers(0, 90, rows),
        lambda: random.uniform(1000, 1010, rows),
        lambda: random.integers(0, 10**9, rows),
    )
    values = kinds[at % len(kinds)]()
    missing = random.random(rows) < 0.05 if at % 4 == 0 and values.dtype.kind == "f" else None
    return pa.array(values, mask=missing)


def _texts(random: np.random.Generator, rows: int, at: int) -> pa.Array:
    many = (3, 50, 200, 3000)[at % 4]
    codes = np.minimum(random.zipf(1.3, rows), many).astype(np.int32) - 1
    values = pa.array([f"value-{one}" for one in range(many)])
    missing = random.random(rows) < 0.02 if at % 3 == 0 else None
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=missing), values).cast(pa.string())
