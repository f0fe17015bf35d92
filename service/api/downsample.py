"""Fewer points for a chart, with every peak and every drop still there."""

import itertools

import numpy as np
from numpy.typing import NDArray


def keep_extremes(
    low: NDArray[np.float64], high: NDArray[np.float64], most: int
) -> NDArray[np.intp]:
    """Rows to keep, ascending: of each share the lowest ``low`` and the highest ``high``.

    First and last row always stay, so the chart's ends do not move. NaN never wins.
    """
    n = len(low)
    if n <= most:
        return np.arange(n, dtype=np.intp)
    shares = max(1, (most - 2) // 2)
    edges = np.linspace(0, n, shares + 1).astype(np.intp)
    lowest = np.where(np.isnan(low), np.inf, low)
    highest = np.where(np.isnan(high), -np.inf, high)
    kept = {0, n - 1}
    for begin, end in itertools.pairwise(edges):
        kept.add(int(begin + np.argmin(lowest[begin:end])))
        kept.add(int(begin + np.argmax(highest[begin:end])))
    return np.array(sorted(kept), dtype=np.intp)
