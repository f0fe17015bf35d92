"""How a table spells its series becomes what they are: keys, numbers and rows.

Two spellings (NFC and NFD of one label) may be one series, so numbers are given to keys and every
spelling of a key has its number.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from storage.errors import InvalidError
from storage.series_key import SeriesKey
from storage.source import ExternalMapping, SourceSpec


@dataclass(frozen=True)
class Numbered:
    """The series of a table, ordered by (metric, id)."""

    spellings: pa.Table  # the columns that name a series as the table writes them, and `number`
    keys: tuple[SeriesKey, ...]
    counts: tuple[int, ...]  # rows of each series


def groups_of(mapping: ExternalMapping) -> tuple[str, ...]:
    """The columns of a points query that together name a series."""
    return ("metric", *(f"label_{column}" for column in mapping.label_columns))


def numbered(source: SourceSpec, found: pa.Table) -> Numbered:
    """Number what a table has: one row for each spelling, with its count in ``rows``."""
    mapping = source.mapping
    assert mapping is not None
    groups = list(groups_of(mapping))
    spelled = [_key(source, mapping, row) for row in found.select(groups).to_pylist()]
    keys = sorted(set(spelled), key=lambda key: (key.metric, key.id))
    number_of = {key: number for number, key in enumerate(keys)}
    numbers = [number_of[key] for key in spelled]
    counts = np.zeros(len(keys), np.int64)
    np.add.at(counts, numbers, found["rows"].to_numpy())
    spellings = found.select(groups).append_column("number", pa.array(numbers, pa.int32()))
    return Numbered(spellings, tuple(keys), tuple(counts.tolist()))


def _key(source: SourceSpec, mapping: ExternalMapping, row: Mapping[str, str]) -> SeriesKey:
    labels = {column: row[f"label_{column}"] for column in mapping.label_columns}
    try:
        return SeriesKey.of(source.name, row["metric"], labels)
    except InvalidError as error:
        raise InvalidError(f"table {mapping.table}: {error}") from None
