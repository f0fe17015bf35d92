"""Hundreds of seeded calls against R's own stl with a plain ESD loop (data/esd.R)."""

import json
from pathlib import Path

import numpy as np
import pytest

from detectors.errors import DetectorError
from detectors.seasonal_esd import seasonal_hybrid_esd
from detectors.seasonal_esd.chunks import row_chunks
from detectors.series import Floats
from tests.detectors.naive_esd import naive_extremes, periodic_stl
from tests.detectors.r_cases import COUNT, Call, calls

ANSWERS = Path(__file__).parent / "data" / "r_answers.json"
TAILS = {"both": 0, "up": 1, "down": -1}

R_MEDIAN = (18, 83, 161, 189, 234)
"""Calls in which R's stl takes another value than the median of an even number of distances.

Such are 30 of the first 3,000 seeds, each with a stretch of an even number of rows below 350.
"""


def found(call: Call) -> list[int] | None:
    try:
        rows: list[int] = seasonal_hybrid_esd(call.values, **call.arguments).tolist()
    except DetectorError:
        return None
    return rows


def test_rows_and_refusals_are_those_of_r() -> None:
    wanted = json.loads(ANSWERS.read_text())
    assert len(wanted) == COUNT
    assert sum(bool(rows) for rows in wanted) > 100
    assert sum(rows is None for rows in wanted) > 50
    different = [
        seed
        for seed, (call, rows) in enumerate(zip(calls(), wanted, strict=True))
        if found(call) != rows
    ]
    assert different == list(R_MEDIAN)


@pytest.mark.parametrize(
    "seed", [18, 234, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (83, 161, 189))]
)
def test_where_r_differs_the_definition_with_the_exact_median_agrees(seed: int) -> None:
    call = calls()[seed]
    assert call.threshold is None
    values, rows, even = np.array(call.values), set(), False
    for stretch in row_chunks(len(values), call.chunk):
        known = np.flatnonzero(~np.isnan(values[stretch])) + stretch.start
        even |= len(known) % 2 == 0
        steps = int((stretch.stop - stretch.start) * call.max_anomalies)
        rows |= set(known[_extremes(values[known], steps, call)].tolist())
    assert found(call) == sorted(rows)
    assert even


def _extremes(values: Floats, steps: int, call: Call) -> list[int]:
    season, _ = periodic_stl(values, call.period)
    residuals = values - season - np.median(values)
    nothing = 1e-12 * float(np.abs(values).max())
    tails = TAILS[call.direction]
    return naive_extremes(residuals, steps, call.alpha, tails, nothing, False).rows
