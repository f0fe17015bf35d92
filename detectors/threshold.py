"""Fixed bounds, the same all week or by hour of the week."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from detectors.bands import Bands
from detectors.detector import Detector
from detectors.errors import ParameterError
from detectors.explain.account import Account, fact
from detectors.explain.explanation import Fact
from detectors.explain.words import number
from detectors.frame import Frame
from detectors.parameters import Needs, finite, parameter
from detectors.result import Codes
from detectors.season import key_count, keys_of
from detectors.series import Floats, Millis

Bound = float | dict[str, float]

_SEVERITIES = ("warning", "major", "critical")
_HOURS = key_count("hour_of_week")
_HOUR_RANGE = re.compile(r"([0-9]{1,3})(?:-([0-9]{1,3}))?")

_BOUND_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "number"},
        {
            "type": "object",
            "properties": {severity: {"type": "number"} for severity in _SEVERITIES},
            "additionalProperties": False,
            "minProperties": 1,
        },
        {"type": "null"},
    ]
}
_SEASON_SCHEMA: dict[str, Any] = {
    "type": ["object", "null"],
    "propertyNames": {"pattern": "^[0-9]{1,3}(-[0-9]{1,3})?$"},
    "additionalProperties": {
        "type": "object",
        "properties": {"lower": _BOUND_SCHEMA, "upper": _BOUND_SCHEMA},
        "additionalProperties": False,
    },
}


def _parse_bound(name: str, value: Any) -> Bound | None:
    if value is None:
        return None
    if isinstance(value, Mapping):
        if not value or not set(value) <= set(_SEVERITIES):
            raise ParameterError(name, f"name severities out of {', '.join(_SEVERITIES)}")
        return {key: _number(name, value[key]) for key in _SEVERITIES if key in value}
    return _number(name, value)


def _number(name: str, value: Any) -> float:
    number = finite(value)
    if number is None:
        raise ParameterError(
            name, f'{value!r} is not allowed; give a number or {{"warning": ..., "critical": ...}}'
        )
    return number


def _parse_season(name: str, value: Any) -> dict[str, dict[str, Bound | None]] | None:
    if value is None:
        return None
    if not isinstance(value, Mapping) or not value:
        raise ParameterError(
            name, 'give hours of the week and their bounds, such as {"0-119": {"lower": 5}}'
        )
    season: dict[str, dict[str, Bound | None]] = {}
    taken: set[int] = set()
    for key, bounds in value.items():
        hours = _hours(name, str(key))
        if twice := taken & hours:
            raise ParameterError(name, f"hour {min(twice)} is given twice")
        taken |= hours
        if not isinstance(bounds, Mapping) or not bounds or not set(bounds) <= {"lower", "upper"}:
            raise ParameterError(name, f'{key}: give bounds like {{"lower": 1, "upper": 2}}')
        season[str(key)] = {side: _parse_bound(name, bound) for side, bound in bounds.items()}
    return season


def _hours(name: str, key: str) -> frozenset[int]:
    match = _HOUR_RANGE.fullmatch(key)
    first = int(match[1]) if match else _HOURS
    last = int(match[2] or match[1]) if match else _HOURS
    if not first <= last < _HOURS:
        raise ParameterError(
            name, f"{key!r} is not an hour of the week 0-167 (0 is Monday 00:00) or a range of them"
        )
    return frozenset(range(first, last + 1))


@dataclass(frozen=True, kw_only=True)
class Threshold(Detector):
    """Fixed bounds: anomalous is what lies below `lower` or above `upper`.

    With two bounds the expected value is their midpoint and the score is the common one. With one
    bound B the expected value is B and the score max(0, 1 + distance beyond B / |B|), where
    |B| counts as 1 when B is 0.

    Parameters
    ----------
    lower, upper : float or mapping of severity to float, optional
        Bounds; a mapping gives one per severity, the mildest of which is the bound.
    season : mapping, optional
        Bounds by hour of the week in `timezone`: keys are hours "0" (Monday 00:00) to "167" or
        ranges of them such as "0-119", values {"lower": ..., "upper": ...}. Hours without an
        entry have the plain bounds.
    severity : "warning", "major" or "critical"
        Severity of an anomaly beyond a bound that names none itself.

    Raises
    ------
    ParameterError
        No bound is given, or bounds contradict each other.

    Examples
    --------
    >>> from detectors import Series, Threshold
    >>> series = Series(["2026-11-01", "2026-11-02", "2026-11-03"], [0.40, 0.33, 0.21])
    >>> result = Threshold(lower={"warning": 0.35, "critical": 0.25}).detect(series)
    >>> result.is_anomaly
    array([False,  True,  True])
    >>> result.severity
    array([0, 1, 3], dtype=int8)
    """

    type: ClassVar[str] = "threshold"

    lower: Bound | None = parameter(
        None, _BOUND_SCHEMA, "Smallest normal value, or one bound per severity.", parse=_parse_bound
    )
    upper: Bound | None = parameter(
        None, _BOUND_SCHEMA, "Largest normal value, or one bound per severity.", parse=_parse_bound
    )
    season: dict[str, dict[str, Bound | None]] | None = parameter(
        None,
        _SEASON_SCHEMA,
        "Bounds by hour of the week (0 is Monday 00:00) or range of hours; other hours have the "
        "plain bounds.",
        parse=_parse_season,
    )
    severity: Literal["warning", "major", "critical"] = parameter(
        "major",
        {"type": "string", "enum": list(_SEVERITIES)},
        "Severity beyond a bound that names none itself.",
        needs=Needs("a bound that is a plain number", lambda detector: detector.has_plain_bound),
    )

    def check(self) -> None:
        """At least one bound, every hour's bounds in order, and nothing about a baseline."""
        self.refuse_given(
            ("min_points", "holidays", "exclude", "on_insufficient"),
            "fixed bounds need no history",
        )
        self.refuse_given(["severity_at"], "a severity has its bound, as in lower or upper")
        if self.lower is None and self.upper is None and self.season is None:
            raise ParameterError("lower", "give lower, upper or season: there is no bound at all")
        self._check_order(self.lower, self.upper, "lower", "upper")
        for key, bounds in (self.season or {}).items():
            hours = f"season.{key}"
            self._check_order(bounds.get("lower"), bounds.get("upper"), hours, hours)

    def _check_order(
        self, lower: Bound | None, upper: Bound | None, lower_name: str, upper_name: str
    ) -> None:
        inner = []
        for bound, name, outwards in ((lower, lower_name, -1), (upper, upper_name, 1)):
            ladder = self._ladder(bound)
            given = ladder[~np.isnan(ladder)]
            if (np.diff(given) * outwards < 0).any():
                raise ParameterError(name, "a worse severity must have a bound farther out")
            inner += given[:1].tolist()
        if len(inner) == 2 and inner[0] > inner[1]:
            raise ParameterError(
                lower_name, f"the lower bound {inner[0]:g} is above the upper bound {inner[1]:g}"
            )

    def _ladder(self, bound: Bound | None) -> Floats:
        """Bounds of warning, major and critical; NaN where there is none; shape (3,)."""
        if bound is None:
            return np.full(3, np.nan)
        given: dict[str, float] = bound if isinstance(bound, dict) else {self.severity: bound}
        return np.array([given.get(severity, np.nan) for severity in _SEVERITIES])

    @np.errstate(over="ignore")  # scores of bounds near the largest number
    def bands(self, frame: Frame) -> Bands:
        """Look up the bounds of each judged slot; one column for all without a season."""
        ladders = self._ladders(frame.wall[frame.judged])
        # The mildest bound present is the outermost normal value.
        lower = np.fmax.reduce(ladders[0], axis=0)[np.newaxis]
        upper = np.fmin.reduce(ladders[1], axis=0)[np.newaxis]
        one = np.where(np.isnan(upper), lower, upper)
        scale = np.where(one == 0, 1.0, np.abs(one))
        both = ~np.isnan(lower) & ~np.isnan(upper)
        midpoint = lower / 2 + upper / 2
        return Bands(
            expected=np.where(both, midpoint, one),
            lower=lower,
            upper=upper,
            centre=np.where(both, midpoint, np.where(np.isnan(upper), one + scale, one - scale)),
            severity=self._severity(frame.given[:, frame.judged], *ladders),
        )

    def account(self, frame: Frame, column: int) -> Account:
        """Tell which bounds hold for the point, and from where they are."""
        lower, upper = self._ladders(frame.wall[column : column + 1])[:, :, 0]
        key = self._season_key(int(keys_of(frame.wall[column : column + 1], "hour_of_week")[0]))
        says = "The bounds are fixed"
        if self.season is not None:
            hours = f"hours {key} of the week" if key else "hours without bounds of their own"
            says += f", those of {hours}"
        given = []
        for side, ladder in (("lower", lower), ("upper", upper)):
            named = zip(_SEVERITIES, ladder.tolist(), strict=True)
            given += [fact(f"{side}_{name}", bound, "value") for name, bound in named]
        facts = tuple(one for one in given if one.value is not None)
        words = [
            f"{one.name.replace('_', ' for ')} {number(float(one.value or 0))}" for one in facts
        ]
        says += f": {', '.join(words)}." if words else ": none for this point."
        return Account(says, (*facts, Fact("season", key)))

    def _season_key(self, hour: int) -> str | None:
        """Find the entry of `season` that an hour of the week has its bounds from."""
        found = (key for key in self.season or {} if hour in _hours("season", key))
        return next(found, None)

    def _ladders(self, wall: Millis) -> Floats:
        """Bounds by side (lower, upper), severity and judged slot; shape (2, 3, m or 1)."""
        plain_bounds = np.array([self._ladder(self.lower), self._ladder(self.upper)])
        if self.season is None:
            return plain_bounds[:, :, np.newaxis]
        table = np.repeat(plain_bounds[:, :, np.newaxis], _HOURS, axis=2)
        for key, bounds in self.season.items():
            sides = [self._ladder(bounds.get(side)) for side in ("lower", "upper")]
            table[:, :, sorted(_hours("season", key))] = np.array(sides)[:, :, np.newaxis]
        return table[:, :, keys_of(wall, "hour_of_week")]

    def _severity(self, values: Floats, lower: Floats, upper: Floats) -> Codes:
        """Find the worst severity whose bound a value crosses, if it crosses any."""
        if self._one_severity():
            return np.array([[_SEVERITIES.index(self.severity) + 1]], np.int8)
        severity = np.zeros(values.shape, np.int8)
        for code in range(1, 1 + len(_SEVERITIES)):
            severity[(values < lower[code - 1]) | (values > upper[code - 1])] = code
        return severity

    @property
    def has_plain_bound(self) -> bool:
        """Whether a bound names no severity."""
        return any(isinstance(bound, float) for bound in self._given_bounds())

    def _one_severity(self) -> bool:
        return not any(isinstance(bound, dict) for bound in self._given_bounds())

    def _given_bounds(self) -> list[Bound | None]:
        bounds = [self.lower, self.upper]
        for entry in (self.season or {}).values():
            bounds += entry.values()
        return bounds

    def cost(self, n: int, period: int) -> float:
        """One pass."""
        return float(n)
