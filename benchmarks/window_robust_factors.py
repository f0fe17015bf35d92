"""Simulate the small-sample factors of Window's robust method and write their table.

    python benchmarks/window_robust_factors.py            writes detectors/window/robust_factors.py
    python benchmarks/window_robust_factors.py --check    says whether that file is what it writes

For a baseline of n normal values with median m and s = 1.4826 MAD, the factor c(n, k) makes a
further value leave m +- c k s as often as a normal value leaves its mean by k standard deviations.
The chance of that is known exactly for each simulated baseline, so only baselines are drawn.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr

Floats = NDArray[np.float64]

TARGET = Path(__file__).resolve().parent.parent / "detectors" / "window" / "robust_factors.py"
COUNTS = (*range(2, 65), 80, 100, 150, 200, 300)
DEVIATIONS = (1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0)
POOLED_KEYS = (1, 2, 4, 7, 24, 168)
POOLED_COUNTS = (3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 16, 17, 24, 25, 40)
MAD_OF_NORMAL = 0.6744897501960817

HEADER = '''"""Factors of the robust method; benchmarks/window_robust_factors.py wrote this file."""

DEVIATIONS = {deviations}
"""Columns of `FACTORS`: k."""

COUNTS = {counts}
"""Rows of all three tables: points in the baseline."""

INFLATIONS = {inflations}
"""MAD of a normal distribution over that of residuals about the median of so many points.

The median point itself is left out where there is one."""

FACTORS = {factors}
"""Multiples of k * 1.4826 * MAD that keep the false-alarm rate of k, by `COUNTS` and k."""

POOLED_KEYS = {pooled_keys}
"""First axis of `POOLED_FACTORS`: keys whose inflated residuals give one MAD."""

POOLED_COUNTS = {pooled_counts}
"""Second axis of `POOLED_FACTORS`: points of each key."""

POOLED_FACTORS = {pooled_factors}
"""As `FACTORS` for the median of one key and the spread of all, by keys, points and k."""
'''


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    text = table()
    if not parser.parse_args().check:
        TARGET.write_text(text)
    elif TARGET.read_text() != text:
        raise SystemExit(f"{TARGET} is not what this script writes")


def table() -> str:
    with ProcessPoolExecutor(2) as pool:
        rows = list(pool.map(simulate, COUNTS))
        inflations = dict(zip(COUNTS, (inflation for inflation, _ in rows), strict=True))
        pooled = [
            list(pool.map(simulate_pooled, repeat(keys), POOLED_COUNTS, repeat(inflations)))
            for keys in POOLED_KEYS
        ]
    return HEADER.format(
        deviations=DEVIATIONS,
        counts=_lines([str(count) for count in COUNTS], 16),
        inflations=_lines([f"{inflation:.4f}" for inflation in inflations.values()], 10),
        factors=_rows([factors for _, factors in rows], ""),
        pooled_keys=POOLED_KEYS,
        pooled_counts=POOLED_COUNTS,
        pooled_factors="(\n" + "".join(f"    {_rows(table, '    ')},\n" for table in pooled) + ")",
    )


def simulate(count: int) -> tuple[float, list[float]]:
    """Inflation of residuals, and one factor per k."""
    rng = np.random.default_rng(count)
    # Few points now and then have nearly no spread, which decides the tail: draw more of them.
    baselines = 2_000_000 if count < 8 else 1_000_000 if count < 16 else 200_000
    draws = np.sort(rng.standard_normal((baselines, count)), axis=1)
    medians = np.median(draws, axis=1)
    residuals = np.abs(draws - medians[:, np.newaxis])
    informative = np.delete(residuals, count // 2, axis=1) if count % 2 else residuals
    inflation = MAD_OF_NORMAL / float(np.median(informative))
    spreads = 1.4826 * np.median(residuals, axis=1)
    return inflation, [_factor(medians, spreads, k) for k in DEVIATIONS]


def simulate_pooled(keys: int, count: int, inflations: dict[int, float]) -> list[float]:
    """One factor per k for one key's median and the pooled spread of all keys."""
    rng = np.random.default_rng((keys, count))
    baselines = min(400_000, 12_000_000 // (keys * count))
    draws = np.sort(rng.standard_normal((baselines, keys, count)), axis=2)
    medians = np.median(draws, axis=2)
    residuals = np.abs(draws - medians[:, :, np.newaxis])
    informative = np.delete(residuals, count // 2, axis=2) if count % 2 else residuals
    pool = informative.reshape(baselines, -1) * inflations[count]
    spreads = 1.4826 * np.median(pool, axis=1)
    used = min(keys, max(1, 400_000 // baselines))
    pairs = medians[:, :used].ravel(), np.repeat(spreads, used)
    return [_factor(*pairs, k) for k in DEVIATIONS]


def _factor(medians: Floats, spreads: Floats, k: float) -> float:
    """Find the factor at which the mean chance of leaving the band is that of k."""
    wanted = float(2 * ndtr(-k))

    def excess(log_factor: float) -> float:
        width = np.exp(log_factor) * k * spreads
        chance = np.mean(ndtr(medians - width) + ndtr(-medians - width))
        return float(np.log((chance + 1e-300) / wanted))

    return float(np.exp(brentq(excess, -1.0, 40.0, xtol=1e-6)))


def _rows(rows: list[list[float]], indent: str) -> str:
    texts = (", ".join(f"{factor:.5g}".replace("e+", "e") for factor in row) for row in rows)
    lines = (f"{indent}    ({text}),\n" for text in texts)
    return "(\n" + "".join(lines) + f"{indent})"


def _lines(numbers: list[str], width: int) -> str:
    rows = (numbers[i : i + width] for i in range(0, len(numbers), width))
    return "(\n" + "".join(f"    {', '.join(row)},\n" for row in rows) + ")  # fmt: skip"


if __name__ == "__main__":
    main()
