"""Bands become results: clips, floors of half-widths, verdicts, rows of the requested range."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from detectors.bands import AT_MOST_WARNING, INSUFFICIENT, MEMBER, SMALL, SPREADLESS, Bands
from detectors.frame import Frame
from detectors.result import Codes, Flags, Reason, Result, Severity
from detectors.series import Floats

if TYPE_CHECKING:
    from detectors.verdicts import Rules

_RELATIVE_FLOOR = 1e-12


@dataclass(frozen=True, slots=True)
class OutputRules:
    """What a detector's common parameters say about its results; `max_gap_slots` in slots."""

    direction: Literal["both", "up", "down"]
    min_abs_change: float
    min_rel_change: float
    clip_lower: float | None
    clip_upper: float | None
    major: float
    critical: float
    consecutive: int
    max_gap_slots: int
    no_data: Literal["ignore", "warn", "anomaly"]

    @property
    def has_min_change(self) -> bool:
        """Whether the caller said which differences matter."""
        return self.min_abs_change > 0 or self.min_rel_change > 0

    def least_change(self, expected: Floats) -> Floats:
        """Differences from the expected values up to which nothing is anomalous."""
        least: Floats = np.maximum(self.min_abs_change, self.min_rel_change * np.abs(expected))
        return least


@dataclass(frozen=True, slots=True)
class Bounds:
    """Finished bounds, each broadcastable to the judged cells."""

    expected: Floats
    lower: Floats
    upper: Floats
    flags: Codes


@dataclass(frozen=True, slots=True)
class Decision:
    """Verdicts of s series over m judged slots with the bounds that they follow from.

    The arrays have shape (s, m), those of `bounds` broadcast to it.
    """

    bounds: Bounds
    score: Floats
    is_anomaly: Flags
    severity: Codes
    direction: Codes
    reason: Codes


def results_of(rules: OutputRules, frame: Frame, bands: Bands) -> Iterator[Result]:
    """One result per series of the frame, its rows those of the requested range."""
    values = frame.values[:, frame.judged]
    found = decide(rules, values, last_reported(frame), bands)
    bounds = found.bounds
    columns = (bounds.expected, bounds.lower, bounds.upper, found.score, found.is_anomaly,
               found.severity, found.direction, found.reason)  # fmt: skip
    return _rows(frame, [np.broadcast_to(column, values.shape) for column in columns], bands)


def last_reported(frame: Frame) -> list[int | None]:
    """Judged column of the last slot that each series reports; None where it reports none."""
    first_judged = frame.judged.start
    return [
        stop - first_judged - 1 if stop > first else None for first, stop in frame.reported_rows()
    ]


def decide(
    rules: OutputRules, values: Floats, last: Sequence[int | None], bands: Bands
) -> Decision:
    """Verdicts of values, shape (s, m), by their bands; `last` as `last_reported` gives it."""
    from detectors import verdicts  # noqa: PLC0415 - numba is slow to import

    shape = values.shape
    bounds = _bounds(rules, values, bands)
    score, is_anomaly = np.empty(shape), np.zeros(shape, bool)
    severity, direction, reason = (np.zeros(shape, np.int8) for _ in range(3))
    centre = bounds.expected if bands.centre is None else bands.centre
    centre, lower, upper = _equally_wide(centre, bounds.lower, bounds.upper)
    silent = verdicts.judge(
        np.ascontiguousarray(values),
        centre,
        lower,
        upper,
        np.ascontiguousarray(bounds.flags),
        np.broadcast_to(0.0 if bands.score is None else bands.score, shape),
        np.broadcast_to(np.int8(0) if bands.severity is None else bands.severity, shape),
        _kernel_rules(rules, bands),
        score,
        is_anomaly,
        severity,
        direction,
        reason,
    )
    if silent:
        _mark_no_data(rules, last, is_anomaly, severity, reason)
    return Decision(bounds, score, is_anomaly, severity, direction, reason)


def _equally_wide(*bands: Floats) -> list[Floats]:
    """Bands as they are, one column for all cells, or all of them with a column for each."""
    width = max(band.shape[-1] for band in bands)
    return [np.ascontiguousarray(np.broadcast_to(band, (len(band), width))) for band in bands]


def _kernel_rules(rules: OutputRules, bands: Bands) -> "Rules":
    from detectors.verdicts import Rules  # noqa: PLC0415 - numba is slow to import

    return Rules(
        watch_down=float(rules.direction != "up"),
        watch_up=float(rules.direction != "down"),
        by_member=float(bands.member is not None),
        severity_given=float(bands.severity is not None),
        major=rules.major,
        critical=rules.critical,
        consecutive=float(rules.consecutive),
        max_gap=float(rules.max_gap_slots),
    )


@np.errstate(over="ignore")  # an infinite bound is one that nothing crosses
def _bounds(rules: OutputRules, values: Floats, bands: Bands) -> Bounds:
    """Clip the bands, then widen them to the floors."""
    expected, lower, upper = (
        _clipped(rules, np.asarray(band, np.float64))
        for band in (bands.expected, bands.lower, bands.upper)
    )
    flags = _flags(bands)
    if bands.baseline_size is not None:
        floor = _RELATIVE_FLOOR * bands.baseline_size
        lower, upper = np.minimum(lower, expected - floor), np.maximum(upper, expected + floor)
    floor = rules.least_change(expected) if rules.has_min_change else np.zeros(())
    if bands.spreadless is not None:  # 1 % of 0 says of no change that it matters
        flags = flags | ((bands.spreadless & (floor == 0)) * np.int8(AT_MOST_WARNING))
    if rules.has_min_change:
        wide_lower = np.minimum(lower, expected - floor)
        wide_upper = np.maximum(upper, expected + floor)
        if bands.member is None:
            small = ((values > upper) & ~(values > wide_upper)) | (
                (values < lower) & ~(values < wide_lower)
            )
        else:
            difference = values - expected if bands.difference is None else bands.difference
            small = bands.member & (np.abs(difference) <= floor)
        flags = flags | (small * np.int8(SMALL))
        lower, upper = wide_lower, wide_upper
    return Bounds(expected, lower, upper, flags)


def _clipped(rules: OutputRules, band: Floats) -> Floats:
    if rules.clip_lower is not None:
        band = np.maximum(band, rules.clip_lower)
    if rules.clip_upper is not None:
        band = np.minimum(band, rules.clip_upper)
    return band


def _flags(bands: Bands) -> Codes:
    flags: Codes = np.zeros((1, 1), np.int8)
    for mask, bit in (
        (bands.insufficient, INSUFFICIENT),
        (bands.spreadless, SPREADLESS),
        (bands.member, MEMBER),
    ):
        if mask is not None:
            flags = flags | (np.asarray(mask, bool) * np.int8(bit))
    return flags


def _mark_no_data(
    rules: OutputRules,
    last: Sequence[int | None],
    is_anomaly: Flags,
    severity: Codes,
    reason: Codes,
) -> None:
    if rules.no_data == "ignore":
        return
    silent = reason == Reason.NO_DATA
    if rules.no_data == "anomaly":
        is_anomaly[silent] = True
        severity[silent] = Severity.WARNING
        return
    for row, column in enumerate(last):
        if column is not None and silent[row, column]:
            severity[row, column] = Severity.WARNING


def _rows(frame: Frame, columns: list[np.ndarray], bands: Bands) -> Iterator[Result]:
    first_judged = frame.judged.start
    times = frame.times.view("datetime64[ms]")
    trend = bands.expected_trend
    if trend is not None:
        trend = np.broadcast_to(trend, frame.values[:, frame.judged].shape)
    for row, (first, stop) in enumerate(frame.reported_rows()):
        cut = slice(first - first_judged, stop - first_judged)
        expected, lower, upper, score, is_anomaly, severity, direction, reason = (
            column[row, cut] for column in columns
        )
        own_times = times[min(row, len(times) - 1), first:stop]
        changes = () if bands.changes is None else bands.changes[row]
        yield Result(
            own_times,
            frame.given[row, first:stop],
            expected,
            lower,
            upper,
            score,
            is_anomaly,
            severity,
            direction,
            reason,
            None if trend is None else trend[row, cut],
            tuple(one for one in changes if one.time in own_times[is_anomaly]),
        )
