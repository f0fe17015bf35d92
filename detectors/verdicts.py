"""From values and bounds to verdicts: the common output rules in one pass over a frame."""

from typing import NamedTuple

import numpy as np
from numba import types

from detectors.bands import INSUFFICIENT, MEMBER, SMALL, SPREADLESS
from detectors.compiled import kernel
from detectors.result import Codes, Flags
from detectors.series import Floats

# Plain numbers because kernels know no enums of int8; a test holds them against `Reason`.
_OK, _NO_DATA, _INSUFFICIENT, _ZERO_VARIANCE, _BELOW_MIN_CHANGE, _NOT_CONSECUTIVE = range(6)
_WARNING, _MAJOR, _CRITICAL = 1, 2, 3

_MAX_SCORE = 1e6
_ABOVE_ONE = float(np.nextafter(1.0, 2.0))


class Rules(NamedTuple):
    """The common parameters as the kernel reads them; all floats so that it is one type."""

    watch_down: float
    watch_up: float
    by_member: float  # membership comes from the MEMBER flag, the score from `given_score`
    severity_given: float  # severity comes from `severity_if`
    cap_spreadless: float
    major: float
    critical: float
    consecutive: float
    max_gap: float  # slots without data that do not break a run


_IN = types.Array(types.float64, 2, "A", readonly=True)
_IN_CODES = types.Array(types.int8, 2, "A", readonly=True)
_CODES = types.int8[:, ::1]
_SIGNATURE = types.void(
    _IN, _IN, _IN, _IN, _IN_CODES, _IN, _IN_CODES,
    types.NamedUniTuple(types.float64, len(Rules._fields), Rules),  # type: ignore[no-untyped-call]
    types.float64[:, ::1], types.boolean[:, ::1], _CODES, _CODES, _CODES,
)  # fmt: skip


@kernel(_SIGNATURE)
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
) -> None:
    """Fill the last five arrays; all arrays have shape (s, m), NaN values are no data."""
    for i in range(values.shape[0]):
        run, run_side, silent = 0.0, 0, 0.0
        for j in range(values.shape[1]):
            value, flag = values[i, j], flags[i, j]
            is_anomaly[i, j] = False
            severity[i, j] = 0
            direction[i, j] = 0
            if np.isnan(value) or flag & INSUFFICIENT:
                score[i, j] = np.nan
                reason[i, j] = _NO_DATA if np.isnan(value) else _INSUFFICIENT
                silent += 1.0
                if silent > rules.max_gap:
                    run = 0.0
                continue
            silent = 0.0
            side = 1 if value > centre[i, j] else -1
            bound = upper[i, j] if side > 0 else lower[i, j]
            watched = rules.watch_up if side > 0 else rules.watch_down
            if rules.by_member:
                beyond = (flag & MEMBER) and not flag & SMALL
                relative = given_score[i, j]
            else:
                beyond = side * (value - bound) > 0.0
                relative = abs(value - centre[i, j]) / abs(bound - centre[i, j])
            if not watched or not relative > 0.0:  # also NaN: no bound on this side, or no width
                relative = 0.0
            relative = min(relative, _MAX_SCORE)
            reason[i, j] = _ZERO_VARIANCE if flag & SPREADLESS else _OK
            if not (beyond and watched):
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
            if rules.cap_spreadless and flag & SPREADLESS:
                grade = min(grade, _WARNING)
            severity[i, j] = grade
