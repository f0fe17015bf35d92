"""Runs a detector over some series and puts its answers into tables.

One bad series costs only itself: its error stands in its row of the series table.
"""

import json
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from detectors import DetectorError, Reason, Result, Series
from detectors.detector import Detector
from workflows.chunk import CHUNK_RESULT_SCHEMA, CHUNK_SERIES_SCHEMA
from workflows.inputs import Floats, Ints, SeriesBlock
from workflows.lasting import facts_of
from workflows.readiness import Readiness
from workflows.releases import stretches

Outcome = Result | Exception
logger = logging.getLogger(__name__)

# Column of the results -> attribute of a detector's result, and its type.
_COLUMNS: dict[str, tuple[str, type]] = {
    "value": ("values", np.float64),
    **{name: (name, np.float64) for name in ("expected", "lower", "upper", "score")},
    "is_anomaly": ("is_anomaly", np.bool_),
    **{name: (name, np.int8) for name in ("severity", "direction", "reason")},
}
_FLOATS = ("value", "expected", "lower", "upper", "score")
_ABSENT = {**dict.fromkeys(_FLOATS, np.nan), "reason": Reason.NO_DATA}  # of a tombstone's own row
_TIME_BITS = 43  # milliseconds until the year 2248; the bits above hold 2^20 series of a block
_TIME_MASK = (1 << _TIME_BITS) - 1
_LONGEST_ERROR = 500


@dataclass(frozen=True)
class Judge:
    """A detector and the range [start, end) that it is asked about."""

    detector: Detector
    start_ms: int
    end_ms: int
    readiness: Readiness
    restarts: Mapping[int, tuple[int, ...]] = field(default_factory=dict)  # times by number

    def judge(self, block: SeriesBlock, step_ms: int | None) -> tuple[pa.Table, pa.Table]:
        """Results (CHUNK_RESULT_SCHEMA) and series (CHUNK_SERIES_SCHEMA) of a block.

        ``step_ms`` is the step where the source declares one; otherwise each series shows its own.
        """
        points = _Points.of(block)
        step = None if step_ms is None else timedelta(milliseconds=step_ms)
        judged = self._judged(points, step)
        rows = _Rows.of(judged, len(points.numbers))
        rows = rows.with_tombstones(points, self.start_ms, self.end_ms)
        return rows.table(block.numbers), self._series_table(points, judged, rows)

    def _judged(self, points: "_Points", step: timedelta | None) -> list["_Judged"]:
        """Each series by its parts between restarts, in order; most have one part."""
        parts: dict[tuple[int, int], list[tuple[int, Series]]] = defaultdict(list)
        for position, (number, series) in enumerate(
            zip(points.numbers.tolist(), points.series(), strict=True)
        ):
            if number not in self.restarts:
                parts[self.start_ms, self.end_ms].append((position, series))
                continue
            for stretch in stretches(self.restarts[number]):
                start = int(max(self.start_ms, stretch.begin))
                end = int(min(self.end_ms, stretch.end))
                if start < end:
                    parts[start, end].append((position, stretch.of(series)))
        judged = [
            _Judged(position, series, outcome)
            for (start, end), some in sorted(parts.items())
            for (position, series), outcome in zip(
                some, self._outcomes([series for _, series in some], start, end, step), strict=True
            )
        ]
        judged.sort(key=lambda one: one.position)  # stable: parts stay in the order of time
        errors = {one.position: one.outcome for one in judged if isinstance(one.outcome, Exception)}
        if not errors:
            return judged
        return [replace(one, outcome=errors.get(one.position, one.outcome)) for one in judged]

    def _outcomes(
        self, series: Sequence[Series], start_ms: int, end_ms: int, step: timedelta | None
    ) -> Sequence[Outcome]:
        try:
            return self.detector.try_many(series, start_ms, end_ms, step=step)
        except Exception:
            logger.exception("a batch of %d series failed; judging them one by one", len(series))
        return [self._outcome(one, start_ms, end_ms, step) for one in series]

    def _outcome(
        self, series: Series, start_ms: int, end_ms: int, step: timedelta | None
    ) -> Outcome:
        try:
            return self.detector.detect(series, start_ms, end_ms, step=step)
        except Exception as error:  # noqa: BLE001 - whatever it is, it costs this series only
            return error

    def _series_table(
        self,
        points: "_Points",
        judged: Sequence["_Judged"],
        rows: "_Rows",
    ) -> pa.Table:
        newest = {one.position: one for one in judged}
        lacking = rows.count(rows.columns["reason"] == Reason.INSUFFICIENT_HISTORY)
        ready: list[int | None] = [None] * len(newest)
        for position in np.flatnonzero(lacking).tolist():
            ready[position] = self._ready_at(newest[position])
        no_data = rows.columns["reason"] == Reason.NO_DATA
        normal = ~no_data & (rows.columns["reason"] != Reason.INSUFFICIENT_HISTORY)
        return pa.table(
            [
                points.numbers.astype(np.int32),
                points.count(self.start_ms, self.end_ms),
                rows.count(normal),
                rows.count(rows.columns["is_anomaly"]),
                rows.count(no_data),
                lacking,
                pa.array(ready, pa.int64()),
                pa.array([_error(one.outcome) for one in newest.values()], pa.string()),
                pa.array([_chosen(one.outcome) for one in newest.values()], pa.string()),
            ],
            schema=CHUNK_SERIES_SCHEMA,
        )

    def _ready_at(self, judged: "_Judged") -> int | None:
        series, outcome = judged.series, judged.outcome
        assert isinstance(outcome, Result)
        told = np.flatnonzero(outcome.reason != Reason.NO_DATA)
        newest = int(told[-1])
        if outcome.reason[newest] != Reason.INSUFFICIENT_HISTORY:
            return None
        last_ms = int(outcome.times[newest].astype(np.int64))
        return self.readiness.ready_at(series.epoch_ms, series.values, last_ms)


@dataclass(frozen=True)
class _Judged:
    """A series, or a part of it between restarts, and what its detector said."""

    position: int  # of the series in the block
    series: Series
    outcome: Outcome


def _chosen(outcome: Outcome) -> str | None:
    return str(outcome.chosen) if isinstance(outcome, Result) and outcome.chosen else None


def _error(outcome: Outcome) -> str | None:
    if isinstance(outcome, Result):
        return None
    text = str(outcome) or type(outcome).__name__
    if not isinstance(outcome, DetectorError):
        text = f"{type(outcome).__name__}: {text}"
    return text[:_LONGEST_ERROR]


@dataclass(frozen=True)
class _Points:
    """A block's points, tombstones apart; ``bounds`` has one more item than there are series."""

    numbers: Ints
    times: Ints
    values: Floats
    bounds: Ints
    gone_position: Ints  # of its series in the block
    gone_ms: Ints

    @classmethod
    def of(cls, block: SeriesBlock) -> "_Points":
        column = block.rows.column("value")
        times: Ints = block.rows.column("ts").to_numpy()
        values: Floats = column.to_numpy()
        bounds = np.append(block.starts, len(times))
        none = np.empty(0, np.int64)
        if not column.null_count:
            return cls(block.numbers, times, values, bounds, none, none)
        valid: NDArray[np.bool_] = column.is_valid().to_numpy()
        kept = np.append(0, np.cumsum(valid))[bounds]
        position = np.repeat(np.arange(len(block.numbers)), np.diff(bounds))[~valid]
        return cls(block.numbers, times[valid], values[valid], kept, position, times[~valid])

    def series(self) -> list[Series]:
        bounds = self.bounds.tolist()
        return [
            Series(self.times[begin:end], self.values[begin:end]) for begin, end in pairwise(bounds)
        ]

    def count(self, start_ms: int, end_ms: int) -> NDArray[np.int32]:
        """Points of each series in [start, end)."""
        inside = np.append(0, np.cumsum((self.times >= start_ms) & (self.times < end_ms)))
        return np.diff(inside[self.bounds]).astype(np.int32)


@dataclass(frozen=True)
class _Rows:
    """Result rows of a block's series as columns; ``position`` tells each row's series."""

    position: Ints
    times: Ints
    columns: dict[str, NDArray[Any]]
    failed: NDArray[np.bool_]  # by position
    changes: Mapping[int, str]  # JSON by sort key

    @classmethod
    def of(cls, judged: Sequence[_Judged], series: int) -> "_Rows":
        told = [(o.position, o.outcome) for o in judged if isinstance(o.outcome, Result)]
        results = [result for _, result in told]
        position = np.repeat(
            np.array([position for position, _ in told], np.int64),
            [len(result) for result in results],
        )
        columns = {
            name: _joined([getattr(result, source) for result in results], kind)
            for name, (source, kind) in _COLUMNS.items()
        }
        columns["tombstone"] = np.zeros(len(position), np.bool_)
        times = _joined([result.times.view(np.int64) for result in results], np.int64)
        failed = np.ones(series, np.bool_)
        failed[[place for place, _ in told]] = False
        changes = {
            place << _TIME_BITS | int(one.time.astype(np.int64)): json.dumps(facts_of(one))
            for place, result in told
            for one in result.changes
        }
        return cls(position, times, columns, failed, changes)

    def count(self, which: NDArray[np.bool_]) -> NDArray[np.int32]:
        """Rows of each series for which ``which`` holds."""
        return np.bincount(self.position[which], minlength=len(self.failed)).astype(np.int32)

    def with_tombstones(self, points: _Points, start_ms: int, end_ms: int) -> "_Rows":
        """Mark the rows at times of tombstones; add a row where the detector gave none.

        A failed series has no rows and gets none: nothing is said about it.
        """
        inside = (points.gone_ms >= start_ms) & (points.gone_ms < end_ms)
        inside &= ~self.failed[points.gone_position]
        if not inside.any():
            return self
        wanted = _sort_key(points.gone_position[inside], points.gone_ms[inside])
        have = _sort_key(self.position, self.times)
        missing = np.setdiff1d(wanted, have)
        grown = self._with_no_data(missing >> _TIME_BITS, missing & _TIME_MASK)
        keys = _sort_key(grown.position, grown.times)
        grown.columns["tombstone"][np.searchsorted(keys, wanted)] = True
        return grown

    def _with_no_data(self, position: Ints, times: Ints) -> "_Rows":
        order = np.argsort(
            _sort_key(np.append(self.position, position), np.append(self.times, times)),
            kind="stable",
        )
        extra = {
            name: np.full(len(times), _ABSENT.get(name, 0), column.dtype)
            for name, column in self.columns.items()
        }
        columns = {name: np.append(c, extra[name])[order] for name, c in self.columns.items()}
        return _Rows(
            np.append(self.position, position)[order],
            np.append(self.times, times)[order],
            columns,
            self.failed,
            self.changes,
        )

    def table(self, numbers: Ints) -> pa.Table:
        """As CHUNK_RESULT_SCHEMA."""
        columns: dict[str, Any] = {
            "number": numbers[self.position].astype(np.int32),
            "ts": self.times,
            **self.columns,
        }
        for name in _FLOATS:
            column = columns[name]
            columns[name] = pa.array(column, mask=~np.isfinite(column))
        columns["change"] = self._change_column()
        return pa.table(
            [columns[name] for name in CHUNK_RESULT_SCHEMA.names], schema=CHUNK_RESULT_SCHEMA
        )

    def _change_column(self) -> pa.Array:
        count = len(self.position)
        if not self.changes:
            return pa.nulls(count, pa.string())
        texts: list[str | None] = [None] * count
        rows = np.searchsorted(_sort_key(self.position, self.times), list(self.changes))
        for row, text in zip(rows.tolist(), self.changes.values(), strict=True):
            texts[row] = text
        return pa.array(texts, pa.string())


def _sort_key(position: Ints, times: Ints) -> Ints:
    """One integer that orders rows by series and time."""
    return (position << _TIME_BITS) | times


def _joined(parts: Sequence[NDArray[Any]], kind: type) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.empty(0, kind)
