"""What every detector has in common: parameters, input rules, output rules."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from detectors.bands import Bands
from detectors.calendar import Holidays, dump_holidays, parse_holidays
from detectors.decision import Bounds, Decision
from detectors.errors import (
    DetectorError,
    InsufficientHistoryError,
    ParameterError,
    PointError,
    SeriesError,
    UnusedParameterError,
)
from detectors.finish import OutputRules, results_of
from detectors.frame import BaselineRules, Frame, Request, frames
from detectors.grid import Grid
from detectors.instants import Instant, Moment, dump_ranges, epoch_ms, parse_ranges
from detectors.parameters import (
    LENGTH_SCHEMA,
    Length,
    Needs,
    checked,
    default_of,
    dump_length,
    dumped,
    finite,
    parameter,
    parameters_of,
    parse_length,
    total,
)
from detectors.result import Block, Reason, Result
from detectors.series import Series

if TYPE_CHECKING:
    from detectors.explain.account import Account
    from detectors.explain.explanation import Explanation

MILLISECOND = timedelta(milliseconds=1)


def _parse_timezone(name: str, value: Any) -> str:
    try:
        return ZoneInfo(value).key
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        raise ParameterError(
            name, f'{value!r} is not a time zone; give an IANA name such as "Europe/Berlin"'
        ) from None


def _parse_severity_at(name: str, value: Any) -> dict[str, float]:
    allowed = 'give scores like {"major": 2, "critical": 3} with 1 <= major <= critical'
    if not isinstance(value, Mapping) or not set(value) <= {"major", "critical"}:
        raise ParameterError(name, f"{value!r} is not allowed; {allowed}")
    given = {key: _score(name, score, allowed) for key, score in value.items()}
    major = given.get("major", min(2.0, given.get("critical", 2.0)))
    critical = given.get("critical", max(3.0, major))
    if not 1 <= major <= critical:
        raise ParameterError(name, f"{value!r} is not allowed; {allowed}")
    return {"major": major, "critical": critical}


def _score(name: str, value: Any, allowed: str) -> float:
    score = finite(value)
    if score is None:
        raise ParameterError(name, f"{value!r} is not allowed; {allowed}")
    return score


@dataclass(frozen=True, kw_only=True)
class Detector(ABC):
    """Base of all detectors; does the common rules once, for many series at a time.

    A child is a frozen, keyword-only dataclass whose parameters are declared with
    `detectors.parameters.parameter`. It sets `type`, implements `bands`, `history` and `cost`,
    and checks what its parameters must fulfil together in `check`.
    """

    type: ClassVar[str]

    timezone: str = parameter(
        "UTC",
        {"type": "string"},
        "IANA time zone in which days, seasons and daily grids are read.",
        parse=_parse_timezone,
    )
    direction: Literal["both", "up", "down"] = parameter(
        "both",
        {"type": "string", "enum": ["both", "up", "down"]},
        "Sides on which a point can be anomalous.",
    )
    min_abs_change: float = parameter(
        0.0,
        {"type": "number", "minimum": 0},
        "Differences from the expected value up to this are never anomalous.",
    )
    min_rel_change: float = parameter(
        0.0,
        {"type": "number", "minimum": 0},
        "Differences up to this share of |expected| are never anomalous.",
    )
    clip_lower: float | None = parameter(
        None, {"type": ["number", "null"]}, "Smallest possible value; bands end there."
    )
    clip_upper: float | None = parameter(
        None, {"type": ["number", "null"]}, "Largest possible value; bands end there."
    )
    min_points: int | None = parameter(
        None,
        {"type": ["integer", "null"], "minimum": 1},
        "Fewest points of history on which a verdict is based; null for the detector's own rule.",
    )
    consecutive: int = parameter(
        1,
        {"type": "integer", "minimum": 1, "maximum": 1_000_000},
        "Only the Nth and later points of a run beyond the same bound are anomalous.",
    )
    max_gap: Length = parameter(
        1,
        LENGTH_SCHEMA,
        "Longest stretch without data that does not break a run.",
        parse=parse_length,
        dump=dump_length,
        needs=Needs("consecutive above 1", lambda detector: detector.consecutive > 1),
    )
    severity_at: dict[str, float] = parameter(
        {"major": 2.0, "critical": 3.0},
        {
            "type": "object",
            "properties": {
                "major": {"type": "number", "minimum": 1},
                "critical": {"type": "number", "minimum": 1},
            },
            "additionalProperties": False,
        },
        "Scores above which an anomaly is major and critical.",
        parse=_parse_severity_at,
    )
    no_data: Literal["ignore", "warn", "anomaly"] = parameter(
        "warn",
        {"type": "string", "enum": ["ignore", "warn", "anomaly"]},
        "What an expected step without data means: nothing, a warning when it is the last one, "
        "or an anomaly.",
    )
    holidays: Holidays | None = parameter(
        None,
        {
            "anyOf": [
                {"type": "string", "pattern": "^[A-Z]{2}(-[A-Za-z0-9]{1,10})?$"},
                {"type": "array", "items": {"type": "string", "format": "date"}},
                {"type": "null"},
            ]
        },
        "Country code or local dates that are kept out of baselines.",
        parse=parse_holidays,
        dump=dump_holidays,
    )
    exclude: tuple[tuple[Moment, Moment], ...] = parameter(
        (),
        {
            "type": "array",
            "items": {
                "type": "array",
                "items": {"type": "string"},
                "minItems": 2,
                "maxItems": 2,
            },
        },
        "Time ranges [from, to) that are kept out of baselines.",
        parse=parse_ranges,
        dump=dump_ranges,
    )
    on_insufficient: Literal["skip", "error"] = parameter(
        "skip",
        {"type": "string", "enum": ["skip", "error"]},
        "Whether points with too little history are reported as such or are an error.",
    )

    def __post_init__(self) -> None:
        for item in parameters_of(type(self)):
            object.__setattr__(self, item.name, checked(item, getattr(self, item.name)))
        if (
            self.clip_lower is not None
            and self.clip_upper is not None
            and self.clip_lower >= self.clip_upper
        ):
            raise ParameterError("clip_lower", f"must be below clip_upper, {self.clip_upper:g}")
        self.check()
        for item in parameters_of(type(self)):
            needs = item.metadata["needs"]
            if needs is not None and not needs.met(self):
                self.refuse_given([item.name], f"it needs {needs.words}")

    def refuse_given(self, names: Sequence[str], why: str) -> None:
        """Raise UnusedParameterError where one of some parameters is not its default."""
        for item in parameters_of(type(self)):
            value = getattr(self, item.name)
            if item.name in names and value != default_of(item):
                raise UnusedParameterError(
                    item.name, f"{dumped(item, value)!r} has no effect: {why}; leave it out"
                )

    def check(self) -> None:  # noqa: B027 - most detectors have nothing to add
        """Raise ParameterError where parameters contradict each other."""

    def check_step(self, step: timedelta) -> None:  # noqa: B027 - most judge any step
        """Raise ParameterError where points so far apart could never be judged."""

    @abstractmethod
    def bands(self, frame: Frame) -> Bands:
        """Compute the bands of a frame's series over its judged columns."""

    def history(self, start: Instant, end: Instant, step: timedelta) -> timedelta:
        """How much of a series before `start` the verdicts on [start, end) depend on.

        Parameters
        ----------
        start, end : aware datetime, datetime64 (UTC), epoch milliseconds, text or date
        step : timedelta
            Distance between the series' points.
        """
        if self.consecutive == 1:
            return timedelta()
        gap = total(self.max_gap, step) if isinstance(self.max_gap, int) else self.max_gap
        return elapsed(total(self.consecutive - 1, step + gap), step)

    @abstractmethod
    def cost(self, n: int, period: int) -> float:
        """Estimated work for one series, in units of one simple pass over a point.

        Parameters
        ----------
        n : int
            Points, history included.
        period : int
            Points in one season.
        """

    def lead_in(self, grid: Grid) -> int:
        """Slots before the reported ones that must be judged to know their runs."""
        return (self.consecutive - 1) * (1 + self.max_gap_slots(grid))

    def max_gap_slots(self, grid: Grid) -> int:
        """`max_gap` in slots."""
        if isinstance(self.max_gap, int):
            return self.max_gap
        return grid.count(self.max_gap // MILLISECOND)

    def detect(
        self,
        series: Series,
        start: Instant | None = None,
        end: Instant | None = None,
        *,
        step: timedelta | None = None,
    ) -> Result:
        """Judge the points of one series in [start, end).

        Parameters
        ----------
        series : Series
            Points to judge and the history before them.
        start, end : aware datetime, datetime64 (UTC), epoch milliseconds, text or date, optional
            Checked range; None stands for the series' own first point and last point. Text is
            RFC 3339 with an offset, or a date, which begins at its midnight in `timezone`.
        step : timedelta, optional
            Distance between points; the usual one of the series when None.

        Returns
        -------
        Result
            One row per point and per expected step without one, in time order.

        Raises
        ------
        InsufficientHistoryError
            A checked point has too little history and `on_insufficient` is "error".
        ParameterError
            The range or the step is not valid.
        SeriesError
            The series' times lie on no grid.
        """
        (result,) = self.detect_many([series], start, end, step=step)
        return result

    def detect_many(
        self,
        series: Sequence[Series],
        start: Instant | None = None,
        end: Instant | None = None,
        *,
        step: timedelta | None = None,
    ) -> list[Result]:
        """As `detect` for each series, in the same order; fast for series on one grid."""
        results: list[Result] = []
        for outcome in self.try_many(series, start, end, step=step):
            if isinstance(outcome, DetectorError):
                raise outcome
            results.append(outcome)
        return results

    def try_many(
        self,
        series: Sequence[Series],
        start: Instant | None = None,
        end: Instant | None = None,
        *,
        step: timedelta | None = None,
    ) -> list[Result | DetectorError]:
        """As `detect_many`, with the error in the place of a series that cannot be judged."""
        request = self._request(start, end, step)
        outcomes: list[Result | DetectorError] = [EMPTY] * len(series)
        for positions, frame in frames(series, request, self._baseline_rules):
            if isinstance(frame, SeriesError):
                outcomes[positions[0]] = frame
                continue
            for position, outcome in zip(positions, self._try_frame(frame), strict=True):
                outcomes[position] = outcome
        return outcomes

    def explain(
        self,
        series: Series,
        time: Instant,
        start: Instant | None = None,
        end: Instant | None = None,
        *,
        step: timedelta | None = None,
    ) -> "Explanation":
        """Say why a point was, was not, or could not be judged an anomaly.

        Parameters
        ----------
        series : Series
            Points to judge and the history before them.
        time : aware datetime, datetime64 (UTC), epoch milliseconds, text or date
            Of the point, as the row's time in the result of `detect`.
        start, end, step
            As for `detect`: the explanation is that of the row which `detect` gives with them.

        Raises
        ------
        PointError
            The result has no row at that time.
        ParameterError
            The time, the range or the step is not valid.
        SeriesError
            The series' times lie on no grid.
        """
        from detectors.explain.trace import explained  # noqa: PLC0415 - for those who ask

        time_ms = epoch_ms("time", time, self.timezone)
        if time_ms is None:
            raise ParameterError("time", "is missing; give the time of a point")
        request = self._request(start, end, step)
        for _, frame in frames([self.accepted(series)], request, self._baseline_rules):
            if isinstance(frame, SeriesError):
                raise frame
            return explained(self, frame, frame.reported_column(time_ms))
        raise PointError("the series has no points")

    def account(self, frame: Frame, column: int) -> "Account":
        """Tell what the point in a column of a frame of one series is compared with."""
        from detectors.explain.account import own_account  # noqa: PLC0415

        return own_account(frame, column)

    def accepted(self, series: Series) -> Series:
        """Bring a series into the form that is judged, or refuse it by SeriesError."""
        return series

    @property
    def _baseline_rules(self) -> BaselineRules:
        return BaselineRules(self.timezone, self.holidays, self.exclude, self.lead_in)

    def _request(
        self, start: Instant | None, end: Instant | None, step: timedelta | None
    ) -> Request:
        start_ms = epoch_ms("start", start, self.timezone)
        end_ms = epoch_ms("end", end, self.timezone)
        if start_ms is not None and end_ms is not None and end_ms < start_ms:
            raise ParameterError("end", "the range must not end before it starts")
        return Request(start_ms, end_ms, None if step is None else _step_ms(step))

    def _try_frame(self, frame: Frame) -> list[Result | DetectorError]:
        """One bad series must cost only itself: after an error each is judged alone."""
        try:
            return list(self._judge(frame))
        except DetectorError as error:
            if len(frame.given) == 1:
                return [error]
            return [self._try_frame(frame.only(i))[0] for i in range(len(frame.given))]

    def output_rules(self, grid: Grid) -> OutputRules:
        """Collect the common parameters that turn bands into verdicts."""
        return OutputRules(
            direction=self.direction,
            min_abs_change=self.min_abs_change,
            min_rel_change=self.min_rel_change,
            clip_lower=self.clip_lower,
            clip_upper=self.clip_upper,
            major=self.severity_at["major"],
            critical=self.severity_at["critical"],
            consecutive=self.consecutive,
            max_gap_slots=self.max_gap_slots(grid),
            no_data=self.no_data,
        )

    def _judge(self, frame: Frame) -> list[Result]:
        results = results_of(self.output_rules(frame.grid), frame, self.bands(frame))
        if self.on_insufficient == "error":
            for result in results:
                lacking = int((result.reason == Reason.INSUFFICIENT_HISTORY).sum())
                if lacking:
                    raise InsufficientHistoryError(
                        f"{lacking} of {len(result)} checked points have too little history"
                    )
        return results

    def to_dict(self) -> dict[str, Any]:
        """Type and all parameters as JSON; `detector_from_dict` reads it back."""
        written = {
            item.name: dumped(item, getattr(self, item.name)) for item in parameters_of(type(self))
        }
        return {"type": self.type, **written}


def elapsed(length: timedelta, step: timedelta) -> timedelta:
    """Longest time that a length counted in steps or wall time can take, with a step to spare.

    A point may stand half a step before its slot, an autumn day has 25 hours, and a step of a
    month is given as 28 to 31 days.
    """
    months = timedelta(days=27) < step < timedelta(days=32)
    return length * (31 / 28 if months else 1) + step + timedelta(hours=2)


def _step_ms(step: Any) -> int:
    if isinstance(step, np.timedelta64):
        step = step.astype("timedelta64[us]").item()
    if not isinstance(step, timedelta) or step < MILLISECOND:
        raise ParameterError(
            "step", f"{step!r} is not allowed; give a timedelta of at least a millisecond"
        )
    return step // MILLISECOND


def _empty() -> Result:
    nothing, no_codes = np.empty((1, 0)), np.empty((1, 0), np.int8)
    decision = Decision(Bounds(nothing, sides=(nothing, nothing)), nothing, no_codes)
    return Result(Block(np.empty((1, 0), "datetime64[ms]"), nothing, decision), 0, 0, 0)


EMPTY = _empty()
"""Of a series without points."""
