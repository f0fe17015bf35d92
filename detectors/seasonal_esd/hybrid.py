"""Seasonal hybrid ESD: decompose, then test what season and level leave unexplained."""

from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from detectors.result import Flags
from detectors.seasonal_esd.esd import Extremes, find_extremes
from detectors.seasonal_esd.removal import judge
from detectors.seasonal_esd.seasons import several_stl
from detectors.seasonal_esd.stl import periodic_stl
from detectors.series import Floats

Direction = Literal["both", "up", "down"]

TAILS = {"both": 0, "up": 1, "down": -1}

# A spread this small beside the values is rounding, not spread.
NOTHING = 1e-12


@dataclass(frozen=True, slots=True)
class Criteria:
    """How residuals are tested.

    Attributes
    ----------
    period : int
        Points in one season, the longest of several.
    alpha : float
        Significance level.
    direction : "both", "up" or "down"
    fall_back : bool
        Where more than half of the residuals are exactly equal, measure the spread by their mean
        distance; stop there otherwise, as R does.
    shorter : tuple of int
        Points in each other season, ascending, if there are several.
    """

    period: int
    alpha: float
    direction: Direction
    fall_back: bool
    shorter: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False, slots=True)
class Outcome:
    """The outcome for n values in a row; arrays of shape (n,).

    Attributes
    ----------
    member : ndarray of bool
    score : ndarray of float64
        Above 1 for members, at most 1 for others, 0 on a side that is not watched.
    expected, expected_trend : ndarray of float64
        The centre of the test, where the score is 0: season plus median plus the median residual
        of all but the members, which a skewed season moves away from 0; season plus trend.
    half : ndarray of float64
        Half-width of the last accepted step, the distance of both bounds from `expected`; at least
        what rounding can make of the values.
    spreadless : ndarray of bool
        Whether all but the members have no spread.
    """

    member: Flags
    score: Floats
    expected: Floats
    expected_trend: Floats
    half: Floats
    spreadless: Flags


@dataclass(frozen=True, eq=False, slots=True)
class Tested:
    """What was tested on the way to an outcome; arrays of shape (n,).

    Attributes
    ----------
    outcome : Outcome
    found : Extremes
        Its rows are those of the values that count.
    level : float
        Median of what was decomposed.
    seasonal, trend : ndarray of float64
        Both about the level.
    residuals : ndarray of float64
        What season and level leave of the values.
    """

    outcome: Outcome
    found: Extremes
    level: float
    seasonal: Floats
    trend: Floats
    residuals: Floats


@np.errstate(over="ignore")  # bounds and paths beside the largest numbers may be infinite
def run_test(
    values: Floats,
    steps: int,
    criteria: Criteria,
    counts: Flags | None = None,
    filled: Floats | None = None,
) -> Tested:
    """Decompose values, more than two periods of them, and test their residuals.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
    steps : int
        Most anomalies to look for.
    criteria : Criteria
    counts : ndarray of bool, shape (n,), optional
        Values that take part in the test; the others, NaN or not, are compared with its outcome.
    filled : ndarray of float64, shape (n,), optional
        What is decomposed instead of values that do not count.

    """
    whole = values if filled is None else filled
    level = _median(whole)
    # About the level: a large one must not cost the digits of what varies.
    seasonal, trend = _decomposed(whole - level, criteria)
    residuals = (values - level) - seasonal
    nothing = NOTHING * float(np.abs(whole).max())
    found = find_extremes(
        residuals if counts is None else residuals[counts],
        steps, criteria.alpha, TAILS[criteria.direction], nothing, fall_back=criteria.fall_back,
    )  # fmt: skip
    member, score = _verdicts(residuals, found, criteria, counts)
    outcome = Outcome(
        member=member,
        score=score,
        expected=seasonal + (level + found.centre),
        expected_trend=seasonal + (trend + level),
        half=np.full(len(values), max(found.half_width, nothing)),
        spreadless=np.full(len(values), found.reach == 0),
    )
    return Tested(outcome, found, level, seasonal, trend, residuals)


def _median(values: Floats) -> float:
    """As numpy's function, which takes longer than sorting a short series."""
    ordered = np.sort(values)
    n = len(ordered)
    return float((ordered[(n - 1) // 2] + ordered[n // 2]) / 2)


def _decomposed(values: Floats, criteria: Criteria) -> tuple[Floats, Floats]:
    if not criteria.shorter:
        return periodic_stl(values, criteria.period)
    return several_stl(values, (*criteria.shorter, criteria.period))


def _verdicts(
    residuals: Floats, found: Extremes, criteria: Criteria, counts: Flags | None
) -> tuple[Flags, Floats]:
    rows = found.rows
    if counts is None:
        counts = np.ones(len(residuals), bool)
    else:
        rows = np.flatnonzero(counts)[rows]
    member, score = np.empty(len(residuals), bool), np.empty(len(residuals))
    judge(residuals, counts, TAILS[criteria.direction], found.centre, found.reach, rows,
          found.scores, 0, member, score)  # fmt: skip
    return member, score


def merged(parts: list[tuple[slice, Outcome]], n: int) -> Outcome:
    """One outcome for n rows from those of stretches that may overlap.

    A row is a member if any stretch says so, and the first that does speaks for it, else the first
    that tested it; but `expected_trend` is always the first stretch's. Untested rows are NaN.
    """
    if len(parts) == 1 and parts[0][0] == slice(0, n):
        return parts[0][1]
    numbers = {name: np.full(n, np.nan) for name in ("expected", "half")}
    trend, score = np.full(n, np.nan), np.full(n, np.nan)
    member, spreadless = np.zeros(n, bool), np.zeros(n, bool)
    for rows, part in parts:
        unknown = np.isnan(trend[rows])
        speaks = unknown | (part.member & ~member[rows])
        trend[rows][unknown] = part.expected_trend[unknown]
        score[rows][speaks] = part.score[speaks]
        spreadless[rows][speaks] = part.spreadless[speaks]
        member[rows] |= part.member
        for name, column in numbers.items():
            column[rows][speaks] = getattr(part, name)[speaks]
    return Outcome(
        member=member, score=score, expected_trend=trend, spreadless=spreadless, **numbers
    )


def spread(outcome: Outcome, slots: NDArray[np.int64], n: int) -> Outcome:
    """Place an outcome at some of n slots; the others are untested."""
    out = merged([], n)
    for item in fields(Outcome):
        getattr(out, item.name)[slots] = getattr(outcome, item.name)
    return out
