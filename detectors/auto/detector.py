"""The detector that leaves the choice to the series."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detectors.auto.choice import MEMORY_DAYS, Choice, choice_for, choices_at
from detectors.bands import Bands
from detectors.catalog import detector_class
from detectors.detector import EMPTY, MILLISECOND, Detector
from detectors.errors import DetectorError, ParameterError, SeriesError
from detectors.frame import Frame, Request
from detectors.grid import Grid, infer_grid
from detectors.instants import Instant
from detectors.parameters import parameters_of
from detectors.result import Result
from detectors.series import Floats, Millis, Series
from detectors.wall_clock import DAY_MS, HOUR_MS

if TYPE_CHECKING:
    from detectors.explain.account import Account

_MEMORY = timedelta(days=MEMORY_DAYS)


@dataclass(frozen=True, kw_only=True)
class Auto(Detector):
    """Judges each series by the detector that suits its step and its history.

    The choice depends on the distance between points and on how many stand in the 91 days before
    the checked range; where that is the whole series, on half of its points. Each result says in
    `chosen` which detector it was and why.

    Examples
    --------
    >>> import numpy as np
    >>> from detectors import Auto, Series
    >>> days = np.arange("2026-09-01", "2026-11-01", dtype="datetime64[D]")
    >>> values = 100 + 10.0 * (np.arange(61) % 7) + np.sin(np.arange(61) * 2.3)
    >>> values[-1] += 30
    >>> result = Auto().detect(Series(days, values), start=days[-3])
    >>> result.is_anomaly.tolist()
    [False, False, True]
    >>> result.chosen.parameters
    {'type': 'window', 'season': 'day_of_week'}
    """

    type: ClassVar[str] = "auto"

    def check(self) -> None:
        """Refuse what one of the detectors would refuse."""
        for step_ms in (DAY_MS, HOUR_MS):
            self._possible(step_ms)

    def check_step(self, step: timedelta) -> None:
        """Refuse a step at which each detector that can be chosen refuses it."""
        refusals = []
        for one in self._possible(step // MILLISECOND):
            try:
                one.check_step(step)
            except ParameterError as error:
                refusals.append(error)
            else:
                return
        raise refusals[0]

    def bands(self, frame: Frame) -> Bands:
        """Give those of the detector chosen for the frame's first series."""
        return self._suited(frame).bands(frame)

    def account(self, frame: Frame, column: int) -> "Account":
        """Name the chosen detector, and let it tell."""
        told = self._suited(frame).account(frame, column)
        return replace(told, says=f"Chosen is {self._choice_of(frame)}. {told.says}")

    def try_many(
        self,
        series: Sequence[Series],
        start: Instant | None = None,
        end: Instant | None = None,
        *,
        step: timedelta | None = None,
    ) -> list[Result | DetectorError]:
        """Hand each series to the detector that suits it; those of one choice together."""
        request = self._request(start, end, step)
        outcomes: list[Result | DetectorError] = [EMPTY] * len(series)
        groups: dict[str, tuple[Choice, list[int]]] = {}
        for position, one in enumerate(series):
            if not len(one):
                continue
            try:
                choice = self._choice(one, request)
            except SeriesError as error:
                outcomes[position] = error
                continue
            groups.setdefault(str(choice), (choice, []))[1].append(position)
        for choice, positions in groups.values():
            judged = self.chosen(choice).try_many(
                [series[position] for position in positions], start, end, step=step
            )
            for position, outcome in zip(positions, judged, strict=True):
                if isinstance(outcome, Result):
                    outcome = replace(outcome, chosen=choice)
                outcomes[position] = outcome
        return outcomes

    def _choice(self, series: Series, request: Request) -> Choice:
        step_ms = infer_grid(series.epoch_ms, self.timezone, request.step_ms).step_ms
        return _choice(series.epoch_ms, series.values, step_ms, request)

    def chosen(self, choice: Choice) -> Detector:
        """Give the detector of a choice, with this one's parameters."""
        parameters = dict(choice.parameters)
        kind = detector_class(parameters.pop("type"))
        common = {item.name: getattr(self, item.name) for item in parameters_of(Detector)}
        if self.min_points is None:
            del common["min_points"]
        return kind(**{**parameters, **common})

    def _possible(self, step_ms: int) -> list[Detector]:
        return [self.chosen(choice) for _, choice in choices_at(step_ms)]

    def _suited(self, frame: Frame) -> Detector:
        return self.chosen(self._choice_of(frame))

    def _choice_of(self, frame: Frame) -> Choice:
        values = frame.values[0]
        return _choice(frame.slot_times, values, frame.grid.step_ms, frame.request)

    def lead_in(self, grid: Grid) -> int:
        """Take the longest of all that can be chosen."""
        return max(one.lead_in(grid) for one in self._possible(grid.step_ms))

    def history(self, start: Instant, end: Instant, step: timedelta) -> timedelta:
        """Take the longest of all that can be chosen at this step, and what the choice looks at."""
        possible = self._possible(step // MILLISECOND)
        return max(_MEMORY, *(one.history(start, end, step) for one in possible))

    def cost(self, n: int, period: int) -> float:
        """Take the dearest of all that can be chosen."""
        return max(one.cost(n, period) for one in self._possible(DAY_MS))


def _choice(times: Millis, values: Floats, step_ms: int, request: Request) -> Choice:
    """Choose for the range's start; where the whole series is checked, for its middle."""
    known = times[np.isfinite(values)]
    if request.start_ms is None:
        return choice_for(step_ms, len(known) // 2)
    known = known[known < request.start_ms]
    known = known[known >= request.start_ms - MEMORY_DAYS * DAY_MS]
    return choice_for(step_ms, len(known))
