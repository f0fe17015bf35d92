"""From values and bounds to verdicts: the common output rules in one pass over a frame.

Most cells lie within their bounds, so scores are computed for a piece of a row at a time, without
branches, and only cells in which something stands out are looked at one by one.
"""

from typing import NamedTuple

import numpy as np
from numba import types

from detectors.bands import AT_MOST_WARNING, INSUFFICIENT, MEMBER, SMALL, SPREADLESS
from detectors.compiled import kernel
from detectors.decision import ANOMALY, DIRECTION_SHIFT, SEVERITY_SHIFT
from detectors.result import Codes
from detectors.series import Floats
from detectors.series import Millis as Counts

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
    by_half: float  # both bounds are as far from the centre as `half` says
    by_member: float  # membership comes from the MEMBER flag, the score from `given_score`
    severity_given: float  # severity comes from `severity_if`
    major: float
    critical: float
    consecutive: float
    max_gap: float  # slots without data that do not break a run
    least_abs: float  # differences that matter, where `half` gives the bounds; absolute,
    least_rel: float  # and as a share of |centre|


_IN = types.Array(types.float64, 2, "C", readonly=True)
_FLAGS = types.Array(types.int8, 2, "C", readonly=True)
_BROADCAST = types.Array(types.float64, 2, "A", readonly=True)
_BROADCAST_CODES = types.Array(types.int8, 2, "A", readonly=True)
_JUDGE = types.int64(
    _IN, _IN, _IN, _IN, types.float64[:, ::1], _FLAGS, _BROADCAST, _BROADCAST_CODES,
    types.NamedUniTuple(types.float64, len(Rules._fields), Rules),  # type: ignore[no-untyped-call]
    types.float64[:, ::1], types.int8[:, ::1],
)  # fmt: skip


@kernel(types.float64(*[types.float64] * 6))
def _score(
    value: float, middle: float, lower: float, upper: float, watch_down: float, watch_up: float
) -> float:
    """Score of any cell with a value and without flags: above 1 beyond a watched bound."""
    is_up = value > middle
    bound = upper if is_up else lower
    excess = value - bound if is_up else bound - value
    least = _ABOVE_ONE if excess > 0.0 else 0.0
    most = _MAX_SCORE if excess > 0.0 else 1.0
    score = abs(value - middle) / abs(bound - middle)
    # Also where it is NaN: no bound on this side, or no width.
    score = score if score > least else least
    score = score if score < most else most
    return score * (watch_up if is_up else watch_down)


# Of an ordinary cell, which lies within its bounds, the score is the plain share of the width on
# its side. What stands out is another cell: beyond, without a value, or without a share. It gets
# none here, and is counted by piece.


@kernel(types.float64(*[types.float64] * 6))
def _share(
    value: float, middle: float, low: float, high: float, watch_down: float, watch_up: float
) -> float:
    """Score of an ordinary cell; NaN, or more than 1, of another."""
    is_up = value > middle
    width = high - middle if is_up else middle - low
    # Endless where the side has no width or bound, or nobody watches it.
    width = width if (width > 0.0) & ((watch_up if is_up else watch_down) > 0.0) else np.inf
    return np.nan if (value > high) | (value < low) else abs(value - middle) / width


@kernel()
def _share_alike(
    values: Floats, middle: float, low: float, high: float, down: float, up: float, out: Floats,
    odd: Counts,
) -> None:  # fmt: skip
    """Fill the scores of ordinary cells of a row with one band, `down` and `up` wide."""
    for p in range(len(odd)):
        count = 0
        for j in range(p * _PIECE, min((p + 1) * _PIECE, len(out))):
            share = abs(values[j] - middle) / (up if values[j] > middle else down)
            share = np.nan if (values[j] > high) | (values[j] < low) else share
            out[j] = share
            count += not share <= 1.0
        odd[p] = count


@kernel()
def _share_each(
    values: Floats, middle: Floats, low: Floats, high: Floats, down: float, up: float, out: Floats,
    odd: Counts,
) -> None:  # fmt: skip
    """As `_share_alike` with a band each, where `down` and `up` say which side is watched."""
    for p in range(len(odd)):
        count = 0
        for j in range(p * _PIECE, min((p + 1) * _PIECE, len(out))):
            out[j] = _share(values[j], middle[j], low[j], high[j], down, up)
            count += not out[j] <= 1.0
        odd[p] = count


@kernel()
def _share_even(
    values: Floats, middle: Floats, half: Floats, least_abs: float, least_rel: float,
    down: float, up: float, out: Floats, odd: Counts,
) -> None:  # fmt: skip
    """As `_share_each` where both bounds are as far from the middle, and far enough to matter."""
    for p in range(len(odd)):
        count = 0
        for j in range(p * _PIECE, min((p + 1) * _PIECE, len(out))):
            least = max(least_abs, least_rel * abs(middle[j]))
            far = least if least > half[j] else half[j]
            share = _share(values[j], middle[j], middle[j] - far, middle[j] + far, down, up)
            is_near = (values[j] <= middle[j] + half[j]) & (values[j] >= middle[j] - half[j])
            out[j] = share if is_near else np.nan
            count += not out[j] <= 1.0
        odd[p] = count


@kernel()
def _widen(middle: Floats, least_abs: float, least_rel: float, half: Floats) -> None:
    for j in range(len(half)):
        least = max(least_abs, least_rel * abs(middle[j]))
        half[j] = least if least > half[j] else half[j]


@kernel()
def _any(marks: Codes, begin: int, stop: int) -> bool:
    found = 0
    for j in range(begin, stop):
        found |= marks[j]
    return found != 0


@kernel()
def _clear(codes: Codes) -> None:
    for k in range(len(codes)):
        codes[k] = 0


@kernel(_JUDGE)
def judge(  # noqa: C901 - one pass over each cell, in the order of the rules
    values: Floats,
    centre: Floats,
    lower: Floats,
    upper: Floats,
    half: Floats,
    flags: Codes,
    given_score: Floats,
    severity_if: Codes,
    rules: Rules,
    score: Floats,
    codes: Codes,
) -> int:
    """Fill scores and codes, shape (s, m); codes are packed as `Decision` reads them.

    Values that are not finite are no data; returns how many there are. Of `centre`, `lower` and
    `upper`, equally wide, and of `flags` one row may stand for all, and one column for all. `half`
    has shape (s, m) where it gives the bounds, and is widened to the differences that matter.
    """
    unknown = 0
    n = values.shape[1]
    odd = np.empty((n + _PIECE - 1) // _PIECE, np.int64)
    watch_down, watch_up = rules.watch_down, rules.watch_up
    by_member, by_half = rules.by_member > 0.0, rules.by_half > 0.0
    alike = centre.shape[1] == 1 and lower.shape[1] == 1 and not by_half
    flag_row, flag_column = min(1, len(flags) - 1), min(1, flags.shape[1] - 1)
    for i in range(len(values)):
        row, out = values[i], score[i]
        c, low, high = (
            centre[min(i, len(centre) - 1)],
            lower[min(i, len(lower) - 1)],
            upper[min(i, len(upper) - 1)],
        )
        _clear(codes[i])
        if alike and n:
            down, up = c[0] - low[0], high[0] - c[0]
            down = down if down > 0.0 and watch_down > 0.0 else np.inf
            up = up if up > 0.0 and watch_up > 0.0 else np.inf
            _share_alike(row, c[0], low[0], high[0], down, up, out, odd)
        elif by_half:
            near = half[i]
            _share_even(
                row, c, near, rules.least_abs, rules.least_rel, watch_down, watch_up, out, odd
            )
        else:
            _share_each(row, c, low, high, watch_down, watch_up, out, odd)
        marks = flags[i * flag_row]
        run, run_side, silent, latest = 0.0, 0, 0.0, -1
        for p in range(len(odd)):
            begin, stop = p * _PIECE, min((p + 1) * _PIECE, n)
            marked = marks[0] != 0 if flag_column == 0 else _any(marks, begin, stop)
            if odd[p] == 0 and not marked and not by_member:
                continue
            for j in range(begin, stop):
                if out[j] <= 1.0 and not marked and not by_member:
                    continue
                value, at = row[j], 0 if alike else j
                middle, flag = c[at], marks[j * flag_column]
                if by_half:
                    least = max(rules.least_abs, rules.least_rel * abs(middle))
                    far = least if least > half[i, j] else half[i, j]
                    lowest, highest = middle - far, middle + far
                    if not (value > highest or value < lowest) and (
                        value > middle + half[i, j] or value < middle - half[i, j]
                    ):
                        flag |= SMALL
                    if flag & SPREADLESS and least == 0.0:
                        flag |= AT_MOST_WARNING
                    if np.isnan(half[i, j]):
                        flag |= INSUFFICIENT
                else:
                    lowest, highest = low[at], high[at]
                if j != latest + 1:  # an ordinary cell lies between
                    run, silent = 0.0, 0.0
                latest = j
                if not np.isfinite(value) or flag & INSUFFICIENT:
                    is_unknown = not np.isfinite(value)
                    unknown += is_unknown
                    out[j] = np.nan
                    codes[i, j] = _NO_DATA if is_unknown else _INSUFFICIENT
                    silent += 1.0
                    if silent > rules.max_gap:
                        run = 0.0
                    continue
                silent = 0.0
                side = 1 if value > middle else -1
                watched = (watch_up if side > 0 else watch_down) > 0.0
                relative = _score(value, middle, lowest, highest, watch_down, watch_up)
                beyond = relative > 1.0
                if by_member:
                    beyond = flag & MEMBER and watched and not flag & SMALL
                    relative = given_score[i, j]
                    if not watched or not relative > 0.0:
                        relative = 0.0
                    relative = min(relative, _MAX_SCORE)
                code = _ZERO_VARIANCE if flag & SPREADLESS else _OK
                if not beyond:
                    run = 0.0
                    out[j] = min(relative, 1.0)
                    if watched and flag & SMALL:
                        code = _BELOW_MIN_CHANGE
                    codes[i, j] = code
                    continue
                run = run + 1.0 if side == run_side else 1.0
                run_side = side
                if run < rules.consecutive:
                    out[j] = min(relative, 1.0)
                    codes[i, j] = _NOT_CONSECUTIVE | side << DIRECTION_SHIFT
                    continue
                relative = max(relative, _ABOVE_ONE)
                out[j] = relative
                grade = 1 + (relative > rules.major) + (relative > rules.critical)
                if rules.severity_given:
                    grade = severity_if[i, j]
                if flag & AT_MOST_WARNING:
                    grade = min(grade, _WARNING)
                codes[i, j] = code | grade << SEVERITY_SHIFT | ANOMALY | side << DIRECTION_SHIFT
        if by_half and (rules.least_abs > 0.0 or rules.least_rel > 0.0):
            _widen(c, rules.least_abs, rules.least_rel, half[i])
    return unknown
