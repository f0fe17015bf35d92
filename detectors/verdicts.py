"""From values and bounds to verdicts: the common output rules in one pass over a frame.

Most cells lie within their bounds, so scores are computed for a piece of a row at a time, without
branches, and only pieces in which something stands out are gone through cell by cell.
"""

from typing import NamedTuple

import numpy as np
from numba import types

from detectors.bands import AT_MOST_WARNING, INSUFFICIENT, MEMBER, SMALL, SPREADLESS
from detectors.compiled import kernel
from detectors.result import Codes, Flags
from detectors.series import Floats

# Plain numbers because kernels know no enums of int8; a test holds them against `Reason`.
_OK, _NO_DATA, _INSUFFICIENT, _ZERO_VARIANCE, _BELOW_MIN_CHANGE, _NOT_CONSECUTIVE = range(6)
_WARNING, _MAJOR, _CRITICAL = 1, 2, 3

_MAX_SCORE = 1e6
_ABOVE_ONE = float(np.nextafter(1.0, 2.0))
_PIECE = 128  # cells: few enough that one which stands out makes little work


class Rules(NamedTuple):
    """The common parameters as the kernel reads them; all floats so that it is one type."""

    watch_down: float
    watch_up: float
    by_member: float  # membership comes from the MEMBER flag, the score from `given_score`
    severity_given: float  # severity comes from `severity_if`
    major: float
    critical: float
    consecutive: float
    max_gap: float  # slots without data that do not break a run


_ROW = types.Array(types.float64, 1, "C", readonly=True)
_SCORES = types.float64[::1]
_IN = types.Array(types.float64, 2, "C", readonly=True)
_FLAGS = types.Array(types.int8, 2, "C", readonly=True)
_BROADCAST = types.Array(types.float64, 2, "A", readonly=True)
_BROADCAST_CODES = types.Array(types.int8, 2, "A", readonly=True)
_CODES = types.int8[:, ::1]
_JUDGE = types.int64(
    _IN, _IN, _IN, _IN, _FLAGS, _BROADCAST, _BROADCAST_CODES,
    types.NamedUniTuple(types.float64, len(Rules._fields), Rules),  # type: ignore[no-untyped-call]
    types.float64[:, ::1], types.boolean[:, ::1], _CODES, _CODES, _CODES,
)  # fmt: skip


@kernel(types.float64(*[types.float64] * 6))
def _score(
    value: float, middle: float, lower: float, upper: float, watch_down: float, watch_up: float
) -> float:
    """Score of a cell without flags: above 1 beyond a watched bound, NaN without data.

    Choices between numbers only, so that loops over it become vector instructions.
    """
    is_up = value > middle
    bound = upper if is_up else lower
    excess = value - bound if is_up else bound - value
    least = _ABOVE_ONE if excess > 0.0 else 0.0
    most = _MAX_SCORE if excess > 0.0 else 1.0
    score = abs(value - middle) / abs(bound - middle)
    # Also where it is NaN: no bound on this side, or no width.
    score = score if score > least else least
    score = score if score < most else most
    score *= watch_up if is_up else watch_down
    return value if np.isnan(value) else score


@kernel(types.int64(_ROW, *[types.float64] * 5, _SCORES))
def _score_alike(
    values: Floats,
    middle: float,
    lower: float,
    upper: float,
    watch_down: float,
    watch_up: float,
    out: Floats,
) -> int:
    """Fill the scores of cells with one band; count those that stand out: beyond, or no data."""
    outstanding = 0
    for j in range(len(out)):
        out[j] = _score(values[j], middle, lower, upper, watch_down, watch_up)
        outstanding += not out[j] <= 1.0
    return outstanding


@kernel(types.int64(_ROW, _ROW, _ROW, _ROW, types.float64, types.float64, _SCORES))
def _score_each(
    values: Floats,
    middle: Floats,
    lower: Floats,
    upper: Floats,
    watch_down: float,
    watch_up: float,
    out: Floats,
) -> int:
    """As `_score_alike` for cells with a band each."""
    outstanding = 0
    for j in range(len(out)):
        out[j] = _score(values[j], middle[j], lower[j], upper[j], watch_down, watch_up)
        outstanding += not out[j] <= 1.0
    return outstanding


@kernel(_JUDGE)
def judge(  # noqa: C901 - one pass over each cell, in the order of the rules
    values: Floats,
    centre: Floats,
    lower: Floats,
    upper: Floats,
    flags: Codes,
    given_score: Floats,
    severity_if: Codes,
    rules: Rules,
    score: Floats,
    is_anomaly: Flags,
    severity: Codes,
    direction: Codes,
    reason: Codes,
) -> int:
    """Fill the last five arrays, shape (s, m), the codes among them zero beforehand.

    NaN among the values is no data; returns how many there are. Of `centre`, `lower` and `upper`,
    equally wide, and of `flags` one row may stand for all, and one column for all.
    """
    unknown = 0
    visit = np.empty(_PIECE, np.int64)
    n = values.shape[1]
    by_member = rules.by_member > 0.0
    alike = centre.shape[1] == 1 and lower.shape[1] == 1 and upper.shape[1] == 1
    flag_row, flag_column = min(1, len(flags) - 1), min(1, flags.shape[1] - 1)
    for i in range(len(values)):
        c, low, high = (
            centre[min(i, len(centre) - 1)],
            lower[min(i, len(lower) - 1)],
            upper[min(i, len(upper) - 1)],
        )
        run, run_side, silent, latest = 0.0, 0, 0.0, -1
        for begin in range(0, n, _PIECE):
            stop = min(begin + _PIECE, n)
            piece = slice(begin, stop)
            row, out = values[i, piece], score[i, piece]
            if alike:
                outstanding = _score_alike(
                    row, c[0], low[0], high[0], rules.watch_down, rules.watch_up, out
                )
            else:
                outstanding = _score_each(
                    row, c[piece], low[piece], high[piece], rules.watch_down, rules.watch_up, out
                )
            marks = flags[i * flag_row]
            marked = marks[0] if flag_column == 0 else marks[piece].max()
            if outstanding == 0 and marked == 0 and not by_member:
                continue
            visited = 0
            for k in range(len(out)):
                visit[visited] = begin + k
                visited += marked != 0 or by_member or not out[k] <= 1.0
            for j in visit[:visited]:
                if j != latest + 1:  # an ordinary cell lies between
                    run, silent = 0.0, 0.0
                latest = j
                flag = marks[j * flag_column]
                value = values[i, j]
                if np.isnan(value) or flag & INSUFFICIENT:
                    unknown += np.isnan(value)
                    score[i, j] = np.nan
                    reason[i, j] = _NO_DATA if np.isnan(value) else _INSUFFICIENT
                    silent += 1.0
                    if silent > rules.max_gap:
                        run = 0.0
                    continue
                silent = 0.0
                side = 1 if value > c[min(j, len(c) - 1)] else -1
                watched = (rules.watch_up if side > 0 else rules.watch_down) > 0.0
                beyond, relative = score[i, j] > 1.0, score[i, j]
                if by_member:
                    beyond = flag & MEMBER and watched and not flag & SMALL
                    relative = given_score[i, j]
                    if not watched or not relative > 0.0:
                        relative = 0.0
                    relative = min(relative, _MAX_SCORE)
                reason[i, j] = _ZERO_VARIANCE if flag & SPREADLESS else _OK
                if not beyond:
                    run = 0.0
                    score[i, j] = min(relative, 1.0)
                    if watched and flag & SMALL:
                        reason[i, j] = _BELOW_MIN_CHANGE
                    continue
                run = run + 1.0 if side == run_side else 1.0
                run_side = side
                direction[i, j] = side
                if run < rules.consecutive:
                    score[i, j] = min(relative, 1.0)
                    reason[i, j] = _NOT_CONSECUTIVE
                    continue
                relative = max(relative, _ABOVE_ONE)
                score[i, j] = relative
                is_anomaly[i, j] = True
                grade = 1 + (relative > rules.major) + (relative > rules.critical)
                if rules.severity_given:
                    grade = severity_if[i, j]
                if flag & AT_MOST_WARNING:
                    grade = min(grade, _WARNING)
                severity[i, j] = grade
    return unknown
