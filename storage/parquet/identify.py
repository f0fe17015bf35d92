"""Tells which series each row of a point table belongs to, without a Python object per row."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from storage.errors import InvalidError
from storage.series_key import SeriesKey

Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Identified:
    """The series of a table, ordered by (metric, id), and the number of each row's."""

    keys: Sequence[SeriesKey]
    numbers: npt.NDArray[np.int32]


def identify(source: str, metric: pa.ChunkedArray, labels: pa.ChunkedArray) -> Identified:
    """Number the series of rows by their metric and labels, in whatever order those stand."""
    rows = len(metric)
    if rows == 0:
        return Identified((), np.empty(0, np.int32))
    if metric.null_count:
        raise InvalidError("metric: null is not allowed")
    spelled = _spellings(metric, _flat(labels))
    first = np.full(int(spelled.max()) + 1, rows, np.int64)
    np.minimum.at(first, spelled, np.arange(rows))
    chosen = pa.array(first)
    keys_of_spelling = [
        SeriesKey.of(source, name, dict(pairs or ()))
        for name, pairs in zip(
            metric.take(chosen).to_pylist(), labels.take(chosen).to_pylist(), strict=True
        )
    ]
    keys = sorted(set(keys_of_spelling), key=lambda key: (key.metric, key.id))
    number_of = {key: number for number, key in enumerate(keys)}
    numbers = np.array([number_of[key] for key in keys_of_spelling], np.int32)
    return Identified(keys, numbers[spelled])


def _flat(labels: pa.ChunkedArray) -> pa.MapArray:
    return pa.concat_arrays(labels.chunks) if labels.num_chunks != 1 else labels.chunk(0)


def _spellings(metric: pa.ChunkedArray, labels: pa.MapArray) -> Codes:
    """One code for each way that a metric with its labels is written in the rows."""
    codes, _ = _dense(_letters(metric))
    # `offsets` of a sliced array do not begin at 0, while `keys` and `items` are whole.
    offsets = np.asarray(labels.offsets).astype(np.int64)
    lengths = np.where(np.asarray(labels.is_valid()), np.diff(offsets), 0)
    names, _ = _dense(_letters(labels.keys))
    values, value_count = _dense(_letters(labels.items))
    for position in range(int(lengths.max(initial=0))):
        has = lengths > position
        pair = np.zeros(len(codes), np.int64)  # 0: no such pair
        at = offsets[:-1][has] + position
        pair[has] = 1 + names[at] * value_count + values[at]
        pair, pair_count = _dense(pair)
        codes, _ = _dense(codes * pair_count + pair)
    return codes


def _letters(texts: pa.Array | pa.ChunkedArray) -> Codes:
    encoded = pc.dictionary_encode(pc.fill_null(texts, ""))
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.unify_dictionaries()
        parts = [np.asarray(chunk.indices) for chunk in encoded.chunks]
        return np.concatenate([*parts, np.empty(0, np.int32)]).astype(np.int64)
    return np.asarray(encoded.indices).astype(np.int64)


def _dense(codes: Codes) -> tuple[Codes, int]:
    """Codes renumbered from 0 without gaps, so that products of them stay small."""
    encoded = pa.array(codes).dictionary_encode()
    return np.asarray(encoded.indices).astype(np.int64), max(len(encoded.dictionary), 1)
