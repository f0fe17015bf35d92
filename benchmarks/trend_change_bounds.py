"""Simulates the bounds of TrendChange's statistic and writes detectors/trend_change/bounds.py.

    python -m benchmarks.trend_change_bounds [--draws 20000]

Series without any change, a season of seven points and autocorrelation from -0.3 to 0.95: once to
learn what a measured coefficient stands for, once for the bounds that the statistic of the best
change, and of the best pair, exceeds at most as often as it may.

"""

import argparse
import textwrap
import time
from pathlib import Path

import numba
import numpy as np

from detectors.result import Flags
from detectors.series import Floats
from detectors.trend_change.find import places
from detectors.trend_change.outliers import pull_in
from detectors.trend_change.search import autocorrelation, propose

LENGTHS = (24, 30, 45, 60, 90, 130, 180, 365, 730)
PHIS = np.array([-0.3, 0.0, 0.15, 0.3, 0.45, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95])
RATES = (0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
PAIRS = 0.2
"""Share of the rate that is spent on pairs of changes."""
HIGHEST_HELD = 0.9
"""Autocorrelation up to which the rate holds; with more a series can hardly be told from drift."""
NEAR = 0.12
PERIOD = 7
SHORTEST = (3, 7)
"""Fewest points beside a change: the least that is allowed, and the default."""
HOME = Path(__file__).parent.parent / "detectors/trend_change/bounds.py"


@numba.njit(nogil=True)
def _series(n: int, phi: float) -> Floats:
    values = np.empty(n)
    values[0] = np.random.normal() / np.sqrt(1.0 - phi * phi)  # noqa: NPY002 - numba's own
    for t in range(1, n):
        values[t] = phi * values[t - 1] + np.random.normal()  # noqa: NPY002
    return values


@numba.njit(nogil=True)
def _simulate(
    draws: int, n: int, phi: float, shortest: int, raw_phis: Floats, phis: Floats, seed: int
) -> Floats:
    """Measured coefficient, what it stands for and statistic, for one change and for two."""
    np.random.seed(seed)  # noqa: NPY002
    out = np.empty((2, 3, draws))
    firsts, kinds = np.zeros(4, np.int64), np.zeros(4, np.int8)
    known, rows, allowed = np.ones(n, np.bool_), np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    freedom = places(known, rows, allowed, PERIOD, shortest)
    for i in range(draws):
        values = _series(n, phi)
        pull_in(values, PERIOD, shortest - 1)
        for extra in range(1, 3):
            raw = autocorrelation(values, known, rows, allowed, PERIOD, shortest, firsts, kinds, 0,
                                  extra, freedom, 0.0)  # fmt: skip
            stands_for = np.interp(raw, raw_phis[extra - 1], phis)
            out[extra - 1, 0, i], out[extra - 1, 1, i] = raw, stands_for
            out[extra - 1, 2, i] = propose(values, rows, allowed, PERIOD, shortest, stands_for,
                                           firsts, kinds, 0, extra, freedom, 0.0)  # fmt: skip
    return out


def _bounds_of(measured: Floats, statistic: Floats, open_: Flags, rate: float) -> Floats:
    """Bounds at PHIS that at most a share `rate` of each row of series up to 0.9 exceeds.

    They are quantiles of the statistic among the series with about the same measured coefficient,
    of all true ones together, at the level that gives the worst true one its rate. `open_` tells
    which series count.
    """
    held = np.repeat(PHIS <= HIGHEST_HELD, len(SHORTEST))
    near = [_near(measured, statistic, open_, phi) for phi in PHIS]
    low, high = rate / 50, min(4 * rate, 0.5)
    bounds = np.empty(len(PHIS))
    for _ in range(14):
        level = float(np.sqrt(low * high))
        found = [values[min(int(np.searchsorted(share, level)), len(values) - 1)]
                 for values, share in near]  # fmt: skip
        bounds = np.maximum.accumulate(np.array(found))
        exceeded = (statistic > np.interp(measured, PHIS, bounds)) & open_
        if exceeded.mean(axis=1)[held].max() > rate:
            high = level
        else:
            low = level
    return bounds


def _near(measured: Floats, statistic: Floats, open_: Flags, phi: float) -> tuple[Floats, Floats]:
    """Statistics of the series measured near `phi`, largest first, and the share beyond each."""
    weight = np.maximum(1.0 - np.abs(measured - phi) / NEAR, 0.0).ravel()
    near = np.flatnonzero(weight)
    order = near[np.argsort(-statistic.ravel()[near])]
    beyond = np.cumsum(weight[order] * open_.ravel()[order])
    return statistic.ravel()[order], beyond / weight.sum()


def _families(draws: int, n: int, raw_phis: Floats, seed: int) -> Floats:
    """Series of each coefficient, by turns with each of SHORTEST."""
    return np.stack([
        _simulate(draws, n, phi, shortest, raw_phis, PHIS, seed)
        for phi in PHIS for shortest in SHORTEST
    ])  # fmt: skip


def _table(draws: int) -> dict[str, Floats]:
    raw = np.empty((2, len(LENGTHS), len(PHIS)))
    bounds = np.empty((2, len(RATES), len(LENGTHS), len(PHIS)))
    freedoms = np.empty(len(LENGTHS))
    same = np.vstack([PHIS, PHIS])
    for i, n in enumerate(LENGTHS):
        began = time.monotonic()
        rows, allowed = np.zeros(n, bool), np.zeros(n, bool)
        freedoms[i] = places(np.ones(n, bool), rows, allowed, PERIOD, SHORTEST[0])
        size = max(int(draws * min(1.0, 180 / n)), 200)
        first = _families(max(size // 5, 200), n, same, 1)
        for pair in range(2):
            medians = np.median(first[:, pair, 0].reshape(len(PHIS), -1), axis=1)
            medians = np.maximum.accumulate(medians)
            raw[pair, i] = medians + 1e-6 * np.arange(len(PHIS))
        drawn = _families(size, n, raw[:, i].copy(), 2)
        for j, rate in enumerate(RATES):
            one, two = drawn[:, 0], drawn[:, 1]
            every = np.ones(one[:, 2].shape, bool)
            single = _bounds_of(one[:, 1], one[:, 2], every, (1 - PAIRS) * rate)
            missed = one[:, 2] <= np.interp(one[:, 1], PHIS, single)
            bounds[0, j, i] = single
            bounds[1, j, i] = _bounds_of(two[:, 1], two[:, 2], missed, PAIRS * rate)
        print(f"n {n}: {size} series, {time.monotonic() - began:.0f} s", flush=True)
    return {"FREEDOMS": freedoms, "RAW_PHIS": raw, "BOUNDS": bounds}


def _written(name: str, values: Floats, digits: int, words: str) -> str:
    def cell(array: Floats, depth: int) -> str:
        if array.ndim == 1:
            row = ", ".join(f"{x:.{digits}f}".rstrip("0").rstrip(".") for x in array)
            return textwrap.indent(f"({row}),\n", "    " * depth)
        inner = "".join(cell(one, depth + 1) for one in array)
        pad = "    " * depth
        return f"{pad}(\n{inner}{pad}),\n"

    return f'{name} = {cell(values, 0).strip().rstrip(",")}\n"""{words}"""\n'


def _write(table: dict[str, Floats]) -> None:
    parts = [
        '"""Bounds of the statistic; benchmarks/trend_change_bounds.py wrote this file."""\n',
        f"PHIS = {tuple(PHIS.tolist())}\n"
        '"""Last axis of the tables: autocorrelation at lag one."""\n',
        f"RATES = {RATES}\n"
        '"""Second axis of `BOUNDS`: share of the series without changes that have one."""\n',
        _written("FREEDOMS", table["FREEDOMS"], 0,
                 "Last but one axis: rows less seasons, trend, change and autocorrelation."),
        _written("RAW_PHIS", table["RAW_PHIS"], 4,
                 "Median coefficient that is measured beside one and beside two proposed changes."),
        _written("BOUNDS", table["BOUNDS"], 3,
                 "Bounds of the statistic of one change, and of the lesser one of two."),
    ]  # fmt: skip
    HOME.write_text("\n".join(parts))


def main() -> None:
    """Write the tables, or tell the rates that they give."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--draws", type=int, default=20_000, help="series for each n up to 180")
    _write(_table(parser.parse_args().draws))


if __name__ == "__main__":
    main()
