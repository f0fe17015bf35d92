"""The columns of Prophet's model: trend, hinges at the changepoints, seasons, holidays.

Times are wall-clock milliseconds without a zone ("local"): seasons belong to the clock on
the wall, and a day there has 24 hours.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from detectors.wall_clock import DAY_MS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Growth = Literal["linear", "flat", "logistic"]
Mode = Literal["additive", "multiplicative"]
Scaling = Literal["minmax", "absmax"]
SeasonSetting = bool | int | Literal["auto"]

TREND_PRIOR_SCALE: Final = 5.0
NOISE_PRIOR_SCALE: Final = 0.5


@dataclass(frozen=True)
class Model:
    """What is fitted: the part of the parameters that shapes the posterior."""

    growth: Growth = "linear"
    seasonality_mode: Mode = "additive"
    n_changepoints: int = 25
    changepoint_range: float = 0.8
    changepoint_prior_scale: float = 0.05
    seasonality_prior_scale: float = 10.0
    holidays_prior_scale: float = 10.0
    yearly: SeasonSetting = "auto"
    weekly: SeasonSetting = "auto"
    daily: SeasonSetting = "auto"
    scaling: Scaling = "minmax"
    cap: float | None = None
    floor: float = 0.0
    mcmc_samples: int = 0


@dataclass(frozen=True)
class Season:
    """One Fourier season."""

    name: str
    period_ms: int
    order: int


def shortest_step(local: Ints) -> int:
    """Return the smallest distance between distinct local times, in milliseconds."""
    gaps = np.diff(local)
    return int(gaps[gaps > 0].min())


def seasons_of(model: Model, local: Ints) -> tuple[Season, ...]:
    """Return the seasons that a history supports, or that the caller insists on.

    Parameters
    ----------
    model
        ``auto`` asks for two whole periods of history, sampled more often than the period.
    local : shape (n,)
        Sorted local times of the history, in milliseconds.
    """
    span, step = int(local[-1] - local[0]), shortest_step(local)
    table = (
        ("yearly", model.yearly, 365.25, 10, span >= 730 * DAY_MS),
        ("weekly", model.weekly, 7.0, 3, span >= 14 * DAY_MS and step < 7 * DAY_MS),
        ("daily", model.daily, 1.0, 4, span >= 2 * DAY_MS and step < DAY_MS),
    )
    seasons = []
    for name, setting, days, default, supported in table:
        wanted = supported if setting == "auto" else setting
        order = default if wanted is True else int(wanted)
        if order:
            seasons.append(Season(name, int(days * DAY_MS), order))
    return tuple(seasons)


def changepoints_of(model: Model, local: Ints) -> Floats:
    """Return the candidate changepoints as fractions of the history's span, shape (S,)."""
    if model.growth == "flat":
        return np.empty(0)
    leading = int(np.floor(len(local) * model.changepoint_range))
    count = min(model.n_changepoints, leading - 1)
    if count < 1:
        return np.empty(0)
    rows = np.linspace(0, leading - 1, count + 1).round().astype(np.int64)[1:]
    fractions: Floats = (local[rows] - local[0]) / (local[-1] - local[0])
    return fractions


@dataclass(frozen=True)
class Calendar:
    """The columns that depend on the date alone, computed once for all rows of a grid."""

    local: Ints
    holidays: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    _columns: dict[Season, Floats] = field(default_factory=dict)

    def season(self, season: Season) -> Floats:
        """Return sine and cosine columns, shape (rows, 2 * order), in the package's order."""
        columns = self._columns.get(season)
        if columns is None:
            phase = np.mod(self.local, season.period_ms) * (2 * np.pi / season.period_ms)
            angles = phase[:, None] * np.arange(1, season.order + 1)
            columns = np.stack([np.sin(angles), np.cos(angles)], axis=2)
            columns = columns.reshape(len(self.local), 2 * season.order)
            self._columns[season] = columns
        return columns


@dataclass(frozen=True)
class Design:
    """The model's columns for one history: some rows of a calendar."""

    model: Model
    calendar: Calendar
    rows: Ints
    start: int
    span: int
    step: int
    changepoints: Floats
    seasons: tuple[Season, ...]
    holidays: tuple[str, ...]

    @classmethod
    def of(cls, model: Model, calendar: Calendar, rows: Ints) -> "Design":
        """Build the design of the history rows; at least two distinct times are needed."""
        local = np.sort(calendar.local[rows])
        seen = (name for name, days in calendar.holidays.items() if days[rows].any())
        return cls(
            model=model,
            calendar=calendar,
            rows=rows,
            start=int(local[0]),
            span=int(local[-1] - local[0]),
            step=shortest_step(local),
            changepoints=changepoints_of(model, local),
            seasons=seasons_of(model, local),
            holidays=tuple(seen),
        )

    def time(self, rows: Ints) -> Floats:
        """Return time as a fraction of the history's span, shape (rows,)."""
        fractions: Floats = (self.calendar.local[rows] - self.start) / self.span
        return fractions

    def trend(self, rows: Ints) -> Floats:
        """Return the columns of growth rate and offset; flat growth has only the offset."""
        offset = np.ones(len(rows))
        if self.model.growth == "flat":
            return offset[:, None]
        return np.column_stack([self.time(rows), offset])

    def hinges(self, rows: Ints) -> Floats:
        """Return the change of trend after each changepoint, shape (rows, S)."""
        return np.maximum(self.time(rows)[:, None] - self.changepoints, 0.0)

    def effects(self, rows: Ints) -> Floats:
        """Return the columns of seasons and holidays, shape (rows, K)."""
        columns = [self.calendar.season(season)[rows] for season in self.seasons]
        columns += [
            self.calendar.holidays[name][rows, None].astype(np.float64) for name in self.holidays
        ]
        return np.hstack(columns) if columns else np.empty((len(rows), 0))

    @property
    def least_points(self) -> int:
        """Points without which the shortest season that the step allows cannot be told from noise.

        Two periods and one point: a history of exactly two spans less than the two that ``auto``
        asks for.
        """
        if self.step < DAY_MS and self.model.daily is not False:
            return 2 * DAY_MS // self.step + 1
        if self.step < 7 * DAY_MS and self.model.weekly is not False:
            return 14 * DAY_MS // self.step + 1
        return 0

    @property
    def trend_scales(self) -> Floats:
        """Prior standard deviations of the trend columns."""
        return np.full(1 if self.model.growth == "flat" else 2, TREND_PRIOR_SCALE)

    @property
    def effect_scales(self) -> Floats:
        """Prior standard deviations of the effect columns, shape (K,)."""
        terms = 2 * sum(season.order for season in self.seasons)
        return np.concatenate(
            [
                np.full(terms, self.model.seasonality_prior_scale),
                np.full(len(self.holidays), self.model.holidays_prior_scale),
            ]
        )
