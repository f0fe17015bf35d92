"""Points of a payload, from what was written to what is stored.

Readers of every format make :class:`RawPoints`; :func:`validate` checks every row of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from storage.archive import POINT_SCHEMA
from storage.errors import InvalidError
from storage.series_key import SeriesKey
from workflows.ingest_rejection import RowErrors
from workflows.points_days import PointRows
from workflows.settings import WorkflowSettings

# A time outside is a wrong unit or a typing error, not a measurement.
FIRST_MS = -2_208_988_800_000  # 1900-01-01
LAST_MS = 7_258_118_400_000  # 2200-01-01

VALUE_ALLOWED = "allowed are finite numbers and null"

Longs = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RawPoints:
    """Rows as they were written; a row's series is one of ``spellings``, by number.

    ``value`` is NaN for null and for what was refused already; times likewise 0.
    """

    spellings: Sequence[tuple[str, Mapping[str, str]]]
    spelling: Longs
    ts: Longs
    value: npt.NDArray[np.float64]
    refused: npt.NDArray[np.bool_]  # rows with an error noted by the reader


@dataclass(frozen=True, eq=False)
class ValidPoints:
    """Points that may be stored, sorted by series and time; a NaN value is a tombstone."""

    keys: Sequence[SeriesKey]
    rows: PointRows

    def __len__(self) -> int:
        return len(self.rows.ts)

    def between(self, first_day: int, last_day: int) -> "ValidPoints":
        """Those of some UTC days, both included."""
        day = self.rows.day
        return ValidPoints(self.keys, self.rows.where((day >= first_day) & (day <= last_day)))

    def table(self, sequence: int) -> pa.Table:
        """The rows in the archive's columns (POINT_SCHEMA)."""
        number, value = pa.array(self.rows.number), self.rows.value
        metrics = pa.array([key.metric for key in self.keys], pa.string())
        labels = pa.array([key.labels for key in self.keys], POINT_SCHEMA.field("labels").type)
        columns = [
            metrics.take(number),
            labels.take(number),
            pa.array(self.rows.ts),
            pa.array(value, mask=np.isnan(value)),
            pa.repeat(pa.scalar(sequence, pa.int64()), len(value)),
        ]
        return pa.table(columns, schema=POINT_SCHEMA)


def newest(parts: Sequence[tuple[int, ValidPoints]]) -> ValidPoints:
    """Points of several payloads as one: of equal series and times that of the highest sequence."""
    if len(parts) == 1:
        return parts[0][1]
    keys = sorted(
        {key for _, points in parts for key in points.keys}, key=lambda key: (key.metric, key.id)
    )
    place = {key: number for number, key in enumerate(keys)}
    number = np.concatenate(
        [np.array([place[key] for key in p.keys], np.int32)[p.rows.number] for _, p in parts]
    )
    ts = np.concatenate([points.rows.ts for _, points in parts])
    value = np.concatenate([points.rows.value for _, points in parts])
    sequence = np.concatenate([np.full(len(points), number_) for number_, points in parts])
    order = np.lexsort((sequence, ts, number))
    number, ts = number[order], ts[order]
    last = np.append((np.diff(number) != 0) | (np.diff(ts) != 0), True)
    return ValidPoints(keys, PointRows(number[last], ts[last], value[order][last]))


def validate(
    source: str, raw: RawPoints, errors: RowErrors, settings: WorkflowSettings
) -> ValidPoints:
    """Check metric, labels, time and doubles of every row; raise when anything was wrong."""
    keys, number_of = _keys(source, raw, errors, settings)
    number = number_of[raw.spelling]
    far = ~raw.refused & ((raw.ts < FIRST_MS) | (raw.ts >= LAST_MS))
    errors.add(np.flatnonzero(far), "time", "allowed are the years 1900 to 2199")
    order = _order(number, raw.ts)
    _refuse_doubles(number, raw, order, (number < 0) | raw.refused | far, errors)
    errors.check()
    return ValidPoints(
        keys, PointRows(number[order].astype(np.int32), raw.ts[order], raw.value[order])
    )


def _keys(
    source: str, raw: RawPoints, errors: RowErrors, settings: WorkflowSettings
) -> tuple[list[SeriesKey], Longs]:
    """The series in order, and the number of each spelling's; -1 where it is refused."""
    checked: list[SeriesKey | None] = []
    for place, (metric, labels) in enumerate(raw.spellings):
        try:
            checked.append(check_limits(settings, SeriesKey.of(source, metric, labels)))
        except InvalidError as error:
            checked.append(None)
            column = "metric" if str(error).startswith("metric") else "labels"
            errors.add(np.flatnonzero(raw.spelling == place), column, str(error))
    known = {key for key in checked if key is not None}
    keys = sorted(known, key=lambda key: (key.metric, key.id))
    number_of = {key: number for number, key in enumerate(keys)}
    numbers = [-1 if key is None else number_of[key] for key in checked]
    return keys, np.array([*numbers, -1], np.int64)


def check_limits(settings: WorkflowSettings, key: SeriesKey) -> SeriesKey:
    """The series, unless it has more or longer labels than the settings allow."""
    if len(key.labels) > settings.max_labels:
        raise InvalidError(f"{len(key.labels)} labels: allowed are {settings.max_labels}")
    for name, value in key.labels:
        if len(value) > settings.max_label_length:
            raise InvalidError(
                f"label {name}: {len(value)} characters, allowed are {settings.max_label_length}"
            )
    return key


def _order(number: Longs, ts: Longs) -> Longs:
    """Row numbers by (series, time); rows with the same both keep their order."""
    if not len(ts):
        return np.empty(0, np.int64)
    step = np.diff(number)
    if ((step > 0) | ((step == 0) & (np.diff(ts) > 0))).all():
        return np.arange(len(ts))
    return np.lexsort((ts, number))


def _refuse_doubles(
    number: Longs,
    raw: RawPoints,
    order: Longs,
    refused: npt.NDArray[np.bool_],
    errors: RowErrors,
) -> None:
    before, after = order[:-1], order[1:]
    same = (number[before] == number[after]) & (raw.ts[before] == raw.ts[after])
    same &= ~refused[before] & ~refused[after]
    double = np.sort(after[same])
    if not len(double):
        return
    first = dict(zip(after[same].tolist(), before[same].tolist(), strict=True))
    errors.add(double, "time", lambda row: f"row {first[row] + 1} has the same series and time")
