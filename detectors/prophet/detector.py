"""The Prophet detector: a forecast from the history before each refit, with its interval."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from detectors.bands import Bands
from detectors.calendar import Holidays, dump_holidays, parse_holidays
from detectors.detector import MILLISECOND, Detector
from detectors.errors import ParameterError
from detectors.frame import Frame
from detectors.grid import Grid
from detectors.instants import Instant, epoch_ms, moment_ms
from detectors.parameters import (
    OPTIONAL_LENGTH_SCHEMA,
    Length,
    Needs,
    dump_length,
    parameter,
    parse_length,
    parse_optional_length,
    plain,
)
from detectors.prophet.design import (
    Calendar,
    Design,
    Floats,
    Growth,
    Ints,
    Mode,
    Model,
    Scaling,
    SeasonSetting,
)
from detectors.prophet.forecast import Engine
from detectors.prophet.holidays import holiday_columns
from detectors.prophet.schedule import Schedule

if TYPE_CHECKING:
    from detectors.explain.account import Account

MIN_POINTS = 90
FEWEST_POINTS = 30
FEWEST_DRAWS = 20
_DAY = timedelta(days=1)
# Beyond it a history's range, or a forecast from it, may not be a number.
_LARGEST = 1e300

_SEASON_SCHEMA = {
    "anyOf": [
        {"type": "string", "enum": ["auto"]},
        {"type": "boolean"},
        {"type": "integer", "minimum": 1, "maximum": 100},
    ]
}
_PRIOR_SCHEMA = {"type": "number", "exclusiveMinimum": 0, "maximum": 1e6}
_CHANGEPOINTS = Needs(
    "n_changepoints, and growth linear or logistic",
    lambda prophet: prophet.growth != "flat" and prophet.n_changepoints > 0,
)
_LOGISTIC = Needs("growth logistic", lambda prophet: prophet.growth == "logistic")


def _parse_season(name: str, value: Any) -> SeasonSetting:
    order = plain(value)
    if isinstance(order, bool):
        return order
    if isinstance(order, str) and order == "auto":
        return "auto"
    if isinstance(order, int) and 1 <= order <= 100:
        return order
    raise ParameterError(
        name,
        f'{value!r} is not allowed; give "auto", true, false or a number of terms from 1 to 100',
    )


def _parse_days(name: str, value: Any) -> timedelta:
    length = parse_length(name, value)
    if not isinstance(length, timedelta) or length < _DAY or length % _DAY:
        raise ParameterError(name, f'{value!r} is not allowed; give whole days such as "1d"')
    return length


@dataclass(frozen=True, kw_only=True)
class Prophet(Detector):
    """Compares points with the forecast of Prophet's model, fitted to the history before them.

    The model is refitted at calendar midnights of ``timezone`` and sees only what came before,
    so that a verdict depends on the point and not on the request's range.

    Examples
    --------
    >>> import numpy as np
    >>> from detectors import Prophet, Series
    >>> days = np.arange("2026-01-01", "2026-07-01", dtype="datetime64[D]")
    >>> values = 100.0 + np.random.default_rng(1).normal(size=len(days))
    >>> values[-1] += 20.0
    >>> result = Prophet().detect(Series(days, values), start=days[-7])
    >>> result.is_anomaly.tolist()
    [False, False, False, False, False, False, True]
    """

    type: ClassVar[str] = "prophet"

    min_points: int | None = parameter(
        None,
        {"type": ["integer", "null"], "minimum": FEWEST_POINTS},
        f"Fewest points of history on which a verdict is based, and never less than two of the "
        f"shortest season; null for {MIN_POINTS}.",
    )
    holidays: Holidays | None = parameter(
        None,
        Detector.__dataclass_fields__["holidays"].metadata["schema"],
        "Country code or local dates; each holiday has an effect of its own, learnt from its "
        "earlier occurrences.",
        parse=parse_holidays,
        dump=dump_holidays,
    )
    growth: Growth = parameter(
        "linear",
        {"type": "string", "enum": ["linear", "flat", "logistic"]},
        "Shape of the trend; logistic needs `cap` and the prophet package.",
    )
    seasonality_mode: Mode = parameter(
        "additive",
        {"type": "string", "enum": ["additive", "multiplicative"]},
        "Whether seasons and holidays are added to the trend or multiply it.",
    )
    n_changepoints: int = parameter(
        25,
        {"type": "integer", "minimum": 0, "maximum": 1000},
        "Places where the trend may change.",
        needs=Needs("growth linear or logistic", lambda prophet: prophet.growth != "flat"),
    )
    changepoint_range: float = parameter(
        0.8,
        {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        "Leading share of the history in which the trend may change.",
        needs=_CHANGEPOINTS,
    )
    changepoint_prior_scale: float = parameter(
        0.05, _PRIOR_SCHEMA, "How easily the trend changes.", needs=_CHANGEPOINTS
    )
    seasonality_prior_scale: float = parameter(
        10.0,
        _PRIOR_SCHEMA,
        "How large seasons may be.",
        needs=Needs(
            "one of yearly, weekly and daily",
            lambda prophet: any((prophet.yearly, prophet.weekly, prophet.daily)),
        ),
    )
    holidays_prior_scale: float = parameter(
        10.0,
        _PRIOR_SCHEMA,
        "How large the effects of holidays may be.",
        needs=Needs("holidays", lambda prophet: prophet.holidays is not None),
    )
    yearly: SeasonSetting = parameter(
        "auto",
        _SEASON_SCHEMA,
        "True, false, a number of Fourier terms, or auto: on from 730 days.",
        parse=_parse_season,
    )
    weekly: SeasonSetting = parameter(
        "auto",
        _SEASON_SCHEMA,
        "True, false, a number of Fourier terms, or auto: on from 14 days of steps below a week.",
        parse=_parse_season,
    )
    daily: SeasonSetting = parameter(
        "auto",
        _SEASON_SCHEMA,
        "True, false, a number of Fourier terms, or auto: on from two days of steps below a day.",
        parse=_parse_season,
    )
    interval_width: float = parameter(
        0.997,
        {"type": "number", "exclusiveMinimum": 0, "maximum": 0.999999},
        "Share of ordinary points that the band should hold.",
    )
    refit_every: timedelta = parameter(
        _DAY,
        {"type": "string", "pattern": r"^[0-9]+\s*[dw]$"},
        "Whole days between refits, which happen at local midnight; counted from a Monday.",
        parse=_parse_days,
        dump=dump_length,
    )
    history_length: Length | None = parameter(
        None,
        OPTIONAL_LENGTH_SCHEMA,
        "History before a refit that is fitted; null for 90 days of steps below a day and 738 "
        "days of longer ones.",
        parse=parse_optional_length,
        dump=dump_length,
    )
    scaling: Literal["auto", "minmax", "absmax"] = parameter(
        "auto",
        {"type": "string", "enum": ["auto", "minmax", "absmax"]},
        "Units in which priors are meant: the history's range or its largest size; auto is "
        "minmax for additive seasons and absmax for multiplicative ones.",
    )
    engine: Literal["auto", "direct", "package"] = parameter(
        "auto",
        {"type": "string", "enum": ["auto", "direct", "package"]},
        "What computes the fit; auto uses the prophet package only where it must.",
    )
    mcmc_samples: int = parameter(
        0,
        {"type": "integer", "minimum": 0, "maximum": 100_000},
        "Draws of full Bayesian sampling by the prophet package instead of the best fit.",
    )
    cap: float | None = parameter(
        None, {"type": ["number", "null"]}, "Upper limit of logistic growth.", needs=_LOGISTIC
    )
    floor: float = parameter(
        0.0, {"type": "number"}, "Lower limit of logistic growth.", needs=_LOGISTIC
    )

    def check(self) -> None:
        """Raise ParameterError where parameters contradict each other."""
        if self.growth == "logistic" and (self.cap is None or self.cap <= self.floor):
            raise ParameterError("cap", "logistic growth needs a limit above `floor`")
        if 0 < self.mcmc_samples < FEWEST_DRAWS:
            raise ParameterError("mcmc_samples", f"give 0 or at least {FEWEST_DRAWS} draws")
        if self.engine == "direct" and (self.growth == "logistic" or self.mcmc_samples):
            raise ParameterError(
                "engine", "direct has neither logistic growth nor mcmc_samples; give auto"
            )

    @property
    def model(self) -> Model:
        """The part of the parameters that shapes the posterior."""
        scaling: Scaling
        if self.scaling == "auto":
            # Seasons multiply what the scaling leaves: the level itself only without its offset.
            scaling = "minmax" if self.seasonality_mode == "additive" else "absmax"
        else:
            scaling = self.scaling
        return Model(
            growth=self.growth,
            seasonality_mode=self.seasonality_mode,
            n_changepoints=self.n_changepoints,
            changepoint_range=self.changepoint_range,
            changepoint_prior_scale=self.changepoint_prior_scale,
            seasonality_prior_scale=self.seasonality_prior_scale,
            holidays_prior_scale=self.holidays_prior_scale,
            yearly=self.yearly,
            weekly=self.weekly,
            daily=self.daily,
            scaling=scaling,
            cap=self.cap,
            floor=self.floor,
            mcmc_samples=self.mcmc_samples,
        )

    def bands(self, frame: Frame) -> Bands:
        """Return the bands of a frame's series over its judged columns."""
        self._check_history(frame)
        shape = frame.values[:, frame.judged].shape
        expected, width, size = np.full(shape, np.nan), np.zeros(shape), np.zeros(shape)
        spreadless = np.zeros(shape, bool)
        factor = NormalDist().inv_cdf((1 + self.interval_width) / 2)
        values = np.where(self.excluded(frame), np.nan, frame.values)
        calendar = Calendar(frame.wall, holiday_columns(frame.wall, self.holidays))
        refits = self.schedule.refits(frame.wall, frame.judged, frame.grid.step_ms)
        for before, judged in refits:
            for members, rows in _alike(values[:, before]):
                design = self._design(calendar, before[rows])
                if design is None:
                    continue
                history = values[np.ix_(members, before[rows])]
                members, history = _scalable(members, history)
                cells = np.ix_(members, judged - frame.judged.start)
                constant = history.min(axis=1) == history.max(axis=1)
                size[cells] = np.abs(history).max(axis=1, keepdims=True)
                expected[cells], width[cells] = self._forecast(design, history, constant, judged)
                spreadless[cells] = constant[:, None]
        width *= factor
        return Bands(
            expected=expected,
            lower=expected - width,
            upper=expected + width,
            baseline_size=size,
            insufficient=~np.isfinite(expected),
            spreadless=spreadless,
        )

    def history(self, start: Instant, end: Instant, step: timedelta) -> timedelta:
        """Return how much of a series before `start` the verdicts on [start, end) depend on."""
        first_ms = epoch_ms("start", start, self.timezone)
        assert first_ms is not None
        step_ms = step // MILLISECOND
        lead_ms = self.lead_in(Grid("ms", step_ms, 0, self.timezone)) * step_ms
        begin_ms = self.schedule.begin_ms(first_ms - lead_ms, step_ms, self.timezone)
        # A point may stand half a step before its slot.
        return (first_ms - begin_ms) * MILLISECOND + step

    def cost(self, n: int, period: int) -> float:
        """Return the estimated work for one series, in units of one simple pass over a point."""
        # Measured, for the seven refits of a week; the request's own number is not known here.
        if self.uses_package:
            return 3e8 + 3e4 * n
        return (1.2e4 if self.seasonality_mode == "multiplicative" else 280.0) * n + 2e4

    @property
    def schedule(self) -> Schedule:
        """When the model is refitted, and on what."""
        return Schedule(self.refit_every, self.history_length)

    @property
    def fewest_points(self) -> int:
        """Points of history that a verdict needs, whatever the seasons."""
        return self.min_points or MIN_POINTS

    def account(self, frame: Frame, column: int) -> "Account":
        """Tell of the fit that a point is compared with, and of the parts of its forecast."""
        from detectors.prophet.account import account_of  # noqa: PLC0415 - for those who ask

        return account_of(self, frame, column)

    @property
    def uses_package(self) -> bool:
        """Whether the prophet package makes the forecast."""
        if self.engine == "auto":
            return self.growth == "logistic" or self.mcmc_samples > 0
        return self.engine == "package"

    @property
    def forecaster(self) -> Engine:
        """What fits histories and forecasts."""
        # Only here: one costs numba, the other pandas and Stan.
        if self.uses_package:
            from detectors.prophet import package  # noqa: PLC0415

            return package.forecast
        from detectors.prophet import direct  # noqa: PLC0415

        return direct.forecast

    def _forecast(
        self, design: Design, history: Floats, constant: NDArray[np.bool_], judged: Ints
    ) -> tuple[Floats, Floats]:
        """Return expected values and spreads, shape (series, m); a constant stays itself."""
        expected = np.repeat(history[:, :1], len(judged), axis=1)
        spread = np.zeros_like(expected)
        if not constant.all():
            forecast = self.forecaster(design, history[~constant], judged)
            expected[~constant], spread[~constant] = forecast.expected, forecast.spread
        return expected, spread

    def _check_history(self, frame: Frame) -> None:
        # Of a few points the step is no more than a guess.
        if np.isfinite(frame.values).sum(axis=1).max() >= self.fewest_points:
            self.check_step(frame.grid.step_ms * MILLISECOND)

    def check_step(self, step: timedelta) -> None:
        """Refuse a length of history that never holds the points that a verdict needs."""
        step_ms, fewest = step // MILLISECOND, self.fewest_points
        points = self.schedule.history_ms(step_ms) // step_ms
        if points >= fewest:
            return
        given = self.history_length
        length = "the default" if given is None else dump_length(given)
        allowed = f", or min_points up to {points}" if points >= FEWEST_POINTS else ""
        raise ParameterError(
            "history_length",
            f"{length} holds {points} points of a step of {dump_length(step)}, min_points asks "
            f"for {fewest}: give a longer one{allowed}",
        )

    def _design(self, calendar: Calendar, rows: Ints) -> Design | None:
        """Return the design of the history rows, or None where they are too few."""
        if len(rows) < self.fewest_points:
            return None
        design = Design.of(self.model, calendar, rows)
        return design if len(rows) >= design.least_points else None

    def excluded(self, frame: Frame) -> NDArray[np.bool_]:
        """Return which slots are kept out of the history, shape (n,)."""
        # Not `frame.usable`: holidays stay in, as columns.
        excluded = np.zeros(frame.slot_times.shape, bool)
        for start, end in self.exclude:
            first, stop = moment_ms(start, self.timezone), moment_ms(end, self.timezone)
            excluded |= (frame.slot_times >= first) & (frame.slot_times < stop)
        return excluded


def _scalable(members: Ints, history: Floats) -> tuple[Ints, Floats]:
    """Drop the series whose range may overflow."""
    fits = np.abs(history).max(axis=1) < _LARGEST
    return members[fits], history[fits]


def _alike(values: Floats) -> Iterator[tuple[Ints, Ints]]:
    """Group series with data in the same slots: their rows and those slots' columns."""
    present = np.isfinite(values)
    groups: dict[bytes, list[int]] = {}
    for row, packed in enumerate(np.packbits(present, axis=1)):
        groups.setdefault(packed.tobytes(), []).append(row)
    for members in groups.values():
        yield np.array(members), np.flatnonzero(present[members[0]])
