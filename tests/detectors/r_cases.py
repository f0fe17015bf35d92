"""Seeded calls of seasonal hybrid ESD for a comparison with R, made without numpy's generators.

`random.Random.random` gives the same numbers in every version of Python, so the series need not be
kept: only R's answers are (data/r_answers.json, written by data/record_r.py).
"""

from dataclasses import asdict, dataclass
from math import nan, pi, sin
from random import Random
from typing import Any

COUNT = 400
_PERIODS = (2, 3, 4, 5, 7, 7, 12, 24, 24, 31, 48, 60)
_SHARES = (0.0, 0.001, 0.01, 0.02, 0.05, 0.1, 0.1, 0.2, 0.35, 0.49)


@dataclass(frozen=True)
class Call:
    """One call; `chunk` and `threshold` are None where they are not used."""

    values: list[float]
    period: int
    max_anomalies: float
    alpha: float
    direction: str
    chunk: int | None
    threshold: str | None

    @property
    def arguments(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if name != "values"}


def calls() -> list[Call]:
    return [_call(seed) for seed in range(COUNT)]


def _call(seed: int) -> Call:
    rng = Random(seed)
    period = rng.choice(_PERIODS)
    n = int(2 * period + 1 + rng.random() ** 2 * 12 * period) + int(rng.random() * 40)
    if rng.random() < 0.05:
        n = 2 * period - int(rng.random() * 2)  # too short
    chunk = None
    if rng.random() < 0.3:
        chunk = int(period * (1.5 + 3 * rng.random())) + 1
    elif rng.random() < 0.1:
        chunk = n + int(rng.random() * 10)
    return Call(
        values=_values(rng, n, period),
        period=period,
        max_anomalies=rng.choice(_SHARES),
        alpha=rng.choice((0.05, 0.05, 0.01, 0.001, 0.2)),
        direction=rng.choice(("both", "up", "down")),
        chunk=chunk,
        threshold=rng.choice((None, None, "med_max", "p95", "p99")),
    )


def _values(rng: Random, n: int, period: int) -> list[float]:
    """A season, a slope, a step, noise and outliers, some in few distinct values.

    Without any noise the spread would be rounding, in R too, and the answers its fruit.
    """
    season, slope, step = 10 * rng.random(), rng.choice((0.0, 0.0, 0.05)), rng.choice((0.0, 6.0))
    scale, offset = rng.choice(((1.0, 0.0), (1.0, 50.0), (1e-6, 0.0), (1e6, -1e7), (1.0, 1e7)))
    outliers = {int(rng.random() * n): 30 * rng.random() - 15 for _ in range(int(rng.random() * 9))}
    digits = rng.choice((0, 1, 6, 6, 6))
    noise = rng.choice((1.0, 1.0, 0.2))
    values = []
    for at in range(n):
        normal = sum(rng.random() for _ in range(12)) - 6
        value = season * sin(2 * pi * at / period) + slope * at + step * (at > n // 2)
        value += noise * normal * (4 if rng.random() < 0.03 else 1) + outliers.get(at, 0.0)
        values.append(round(value, digits) * scale + offset)
    if rng.random() < 0.15:
        for at in range(int(rng.random() * period / 2)):
            values[at] = nan
    if rng.random() < 0.15:
        for at in range(int(rng.random() * period / 2)):
            values[-1 - at] = nan
    if rng.random() < 0.03:
        values[n // 2] = nan
    return values
