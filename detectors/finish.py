"""Bands become results: clips, floors of half-widths, verdicts, rows of the requested range."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from detectors import memory
from detectors.bands import AT_MOST_WARNING, INSUFFICIENT, MEMBER, SMALL, SPREADLESS, Bands
from detectors.decision import ANOMALY, SEVERITY_SHIFT, Bounds, Decision
from detectors.frame import Frame
from detectors.result import Block, Change, Codes, Reason, Result, Severity
from detectors.series import Floats

if TYPE_CHECKING:
    from detectors.verdicts import Rules

_RELATIVE_FLOOR = 1e-12
_NO_HALF = np.empty((0, 0))
_NO_FLAGS: Codes = np.zeros((1, 1), np.int8)


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

    @property
    def clips(self) -> bool:
        """Whether bands end where the caller said that values do."""
        return self.clip_lower is not None or self.clip_upper is not None

    def least_change(self, expected: Floats) -> Floats:
        """Differences from the expected values up to which nothing is anomalous."""
        least: Floats = np.maximum(self.min_abs_change, self.min_rel_change * np.abs(expected))
        return least


def results_of(rules: OutputRules, frame: Frame, bands: Bands) -> list[Result]:
    """One result per series of the frame, its rows those of the requested range."""
    values = frame.given[:, frame.judged]
    trend = bands.expected_trend
    block = Block(
        np.broadcast_to(frame.times[:, frame.judged].view("datetime64[ms]"), values.shape),
        values,
        decide(rules, values, last_reported(frame), bands),
        None if trend is None else np.broadcast_to(trend, values.shape),
    )
    shift = frame.judged.start
    if bands.changes is None:
        return [
            Result(block, row, first - shift, stop - shift)
            for row, (first, stop) in enumerate(frame.reported_rows())
        ]
    return [
        _with_changes(Result(block, row, first - shift, stop - shift), bands.changes[row])
        for row, (first, stop) in enumerate(frame.reported_rows())
    ]


def _with_changes(result: Result, changes: tuple[Change, ...]) -> Result:
    """Add those changes that are anomalies of the result."""
    times = result.times[result.is_anomaly] if changes else ()
    result.changes = tuple(one for one in changes if one.time in times)
    return result


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
    bounds, flags = _bounds(rules, values, bands)
    score, codes = memory.columns(shape, np.float64, np.int8)
    centre = bounds.expected if bands.centre is None else bands.centre
    half = _NO_HALF
    if bounds.sides is None:
        lower = upper = centre = np.ascontiguousarray(np.broadcast_to(centre, shape))
        half = _for_each_cell(bounds, shape)
        if rules.has_min_change:
            bounds = Bounds(bounds.expected, half=half)
    else:
        centre, lower, upper = _equally_wide(centre, *bounds.sides)
    silent = verdicts.judge(
        np.ascontiguousarray(values),
        centre,
        lower,
        upper,
        half,
        np.ascontiguousarray(flags),
        np.broadcast_to(0.0 if bands.score is None else bands.score, shape),
        np.broadcast_to(np.int8(0) if bands.severity is None else bands.severity, shape),
        _kernel_rules(rules, bands, bounds),
        score,
        codes,
    )
    if silent:
        _mark_no_data(rules, last, codes)
    return Decision(bounds, score, codes)


def _for_each_cell(bounds: Bounds, shape: tuple[int, ...]) -> Floats:
    """Give each cell its half-width, that may be widened."""
    assert bounds.half is not None
    if bounds.half.shape == shape:
        return np.ascontiguousarray(bounds.half)
    half = memory.empty(shape)
    half[:] = bounds.half
    return half


def _equally_wide(*bands: Floats) -> list[Floats]:
    """Bands as they are, one column for all cells, or all of them with a column for each."""
    width = max(band.shape[-1] for band in bands)
    return [np.ascontiguousarray(np.broadcast_to(band, (len(band), width))) for band in bands]


def _kernel_rules(rules: OutputRules, bands: Bands, bounds: Bounds) -> "Rules":
    from detectors.verdicts import Rules  # noqa: PLC0415 - numba is slow to import

    return Rules(
        watch_down=float(rules.direction != "up"),
        watch_up=float(rules.direction != "down"),
        by_half=float(bounds.half is not None),
        by_member=float(bands.member is not None),
        severity_given=float(bands.severity is not None),
        major=rules.major,
        critical=rules.critical,
        consecutive=float(rules.consecutive),
        max_gap=float(rules.max_gap_slots),
        least_abs=rules.min_abs_change,
        least_rel=rules.min_rel_change,
    )


@np.errstate(over="ignore")  # an infinite bound is one that nothing crosses
def _bounds(rules: OutputRules, values: Floats, bands: Bands) -> tuple[Bounds, Codes]:
    """Clip the bands, then widen them to the floors; and how cells are marked.

    Half-widths are widened when they are judged.
    """
    if bands.half is not None and _stays_even(rules, bands):
        return Bounds(bands.expected, half=bands.half), _flags(bands)
    bands = bands.spelled_out()
    assert bands.lower is not None
    assert bands.upper is not None
    expected, lower, upper = (
        _clipped(rules, np.asarray(band, np.float64))
        for band in (bands.expected, bands.lower, bands.upper)
    )
    if bands.baseline_size is not None:
        floor = _RELATIVE_FLOOR * bands.baseline_size
        lower, upper = np.minimum(lower, expected - floor), np.maximum(upper, expected + floor)
    flags = _flags(bands)
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
    return Bounds(expected, sides=(lower, upper)), flags


def _stays_even(rules: OutputRules, bands: Bands) -> bool:
    """Whether both bounds stay as far from the centre, whatever the rules do to them."""
    own_rule = bands.member is not None and rules.has_min_change
    # The centre of those that decide membership themselves only tells the sides.
    is_centred = bands.centre is None or bands.member is not None
    return not rules.clips and not own_rule and is_centred and bands.baseline_size is None


def _clipped(rules: OutputRules, band: Floats) -> Floats:
    if rules.clip_lower is not None:
        band = np.maximum(band, rules.clip_lower)
    if rules.clip_upper is not None:
        band = np.minimum(band, rules.clip_upper)
    return band


def _flags(bands: Bands) -> Codes:
    flags: Codes = _NO_FLAGS
    for mask, bit in (
        (bands.insufficient, INSUFFICIENT),
        (bands.spreadless, SPREADLESS),
        (bands.member, MEMBER),
    ):
        if mask is not None:
            flags = flags | (np.asarray(mask, bool) * np.int8(bit))
    return flags


def _mark_no_data(rules: OutputRules, last: Sequence[int | None], codes: Codes) -> None:
    warning = Severity.WARNING << SEVERITY_SHIFT
    if rules.no_data == "anomaly":
        codes[codes == Reason.NO_DATA] |= np.int8(warning | ANOMALY)
    if rules.no_data == "warn":
        for row, column in enumerate(last):
            if column is not None and codes[row, column] == Reason.NO_DATA:
                codes[row, column] |= np.int8(warning)
