"""TrendChange beside ruptures and Prophet: false alarms, power and dating, in one run.

    python -m benchmarks.trend_change [--quick]

Series of 90 days with a week in them and noise of innovations 1. First families in which nothing
changes: 10,000 series of each for TrendChange, the first ones of them for the others. Then planted
changes: which share is found within a week of its date, how far off the date is where it is, and
how often the set of dates holds it. The others get what they cannot do themselves: ruptures the
season taken off and the kind of change to look for, Prophet all the time that it wants.
"""

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.detectors.environments import ROOT, THREADS, command
from benchmarks.detectors.errors import AbsentError
from detectors import Result, Series, TrendChange
from detectors.series import Floats

N, PERIOD, SHORTEST = 90, 7, 7
NEAR = 7  # days from the date within which a change counts as found
PENALTY = 3.0  # times log n times the variance, as BIC for a change of one value and its place
_DAYS = np.datetime64("2026-01-01", "ms") + np.arange(N) * np.timedelta64(1, "D")
_PEERS = (
    ("PELT", "ruptures", "benchmarks.peers.ruptures", "pelt"),
    ("BinSeg", "ruptures", "benchmarks.peers.ruptures", "binseg"),
    ("Prophet", "prophet", "benchmarks.peers.prophet_changes", "changepoints"),
)


@dataclass(frozen=True)
class Case:
    """Series of one kind; `first` is the row of what was planted, -1 for nothing."""

    name: str
    values: Floats
    first: np.ndarray[Any, np.dtype[np.int64]]
    kind: str = "level"


@dataclass(frozen=True)
class Found:
    """Rows that a side says changes begin at, the surest first."""

    rows: Sequence[Sequence[int]]
    covered: int = -1  # of the planted dates that lie within the set of one; -1: it has no sets
    seconds: float = 0.0


def wandering(rng: np.random.Generator, count: int, phi: float, tails: int = 0) -> Floats:
    """Autoregressive noise; Student's with so many degrees of freedom where `tails` is given."""
    noise = rng.standard_t(tails, (count, N)) if tails else rng.normal(size=(count, N))
    values = np.empty((count, N))
    values[:, 0] = noise[:, 0] / np.sqrt(1 - phi**2)
    for t in range(1, N):
        values[:, t] = phi * values[:, t - 1] + noise[:, t]
    return values


def week(rng: np.random.Generator, count: int, size: float = 3.0) -> Floats:
    """A week of its own for each series."""
    season: Floats = size * rng.normal(size=(count, PERIOD))[:, np.arange(N) % PERIOD]
    return season


def calm(count: int) -> list[Case]:
    """Families in which nothing changes."""
    rng = np.random.default_rng(1)
    nowhere = np.full(count, -1)
    made: dict[str, Callable[[], Floats]] = {
        "white noise": lambda: wandering(rng, count, 0.0),
        "AR .3": lambda: wandering(rng, count, 0.3),
        "AR .6": lambda: wandering(rng, count, 0.6),
        "AR .9": lambda: wandering(rng, count, 0.9),
        "random week": lambda: wandering(rng, count, 0.3) + week(rng, count, 10.0),
        "long tails (t3)": lambda: wandering(rng, count, 0.0, tails=3),
        "growth and AR .6": lambda: wandering(rng, count, 0.6) + 0.3 * np.arange(N),
    }
    return [Case(name, make(), nowhere) for name, make in made.items()]


def planted(count: int) -> list[Case]:
    """One change each, anywhere in the middle two thirds."""
    rng = np.random.default_rng(2)
    cases = []
    for phi in (0.0, 0.3, 0.6):
        for kind, sizes in (("level", (1.0, 2.0, 3.0, 5.0)), ("slope", (0.1, 0.2, 0.4))):
            for size in sizes:
                first = rng.integers(N // 6, N - N // 6, count)
                since = np.arange(N) - first[:, None]
                change = since >= 0 if kind == "level" else np.maximum(since + 1, 0)
                values = week(rng, count) + wandering(rng, count, phi) + size * change
                cases.append(Case(f"{kind} {size:g}, AR {phi:g}", values, first, kind))
    return cases


def ours(case: Case) -> Found:
    """What TrendChange says at its defaults."""
    family = [Series(_DAYS, row) for row in case.values]
    began = time.process_time()
    results = TrendChange().detect_many(family)
    seconds = (time.process_time() - began) / len(family)
    covered = sum(_covers(result, first) for result, first in zip(results, case.first, strict=True))
    return Found([_surest(result) for result in results], covered, seconds)


def _surest(result: Result) -> list[int]:
    rows = np.flatnonzero(result.is_anomaly)
    return [int(row) for row in rows[np.argsort(-result.score[rows])]]


def _covers(result: Result, first: int) -> bool:
    return first >= 0 and any(one.earliest <= _DAYS[first] <= one.latest for one in result.changes)


def theirs(peer: tuple[str, str, str, str], case: Case, most: int) -> Found:
    """What a peer says of the first series, in its own process."""
    _, environment, module, work = peer
    values = case.values[:most]
    facts = {
        "points": N, "period": PERIOD, "shortest": SHORTEST, "penalty": PENALTY,
        "kinds": [case.kind] * len(values),
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        values.tofile(folder / "values.f64")
        (folder / "input.json").write_text(json.dumps(facts))
        began = time.monotonic()
        subprocess.run(
            [*command(environment, module), work, str(folder), str(len(values))],
            cwd=ROOT, env={"PATH": "/usr/bin:/bin", **THREADS}, check=True,
            stdin=subprocess.DEVNULL, capture_output=True,
        )  # fmt: skip
        seconds = (time.monotonic() - began) / 2 / len(values)
        (answer,) = folder.glob("answer-*.json")
        return Found(json.loads(answer.read_text())["found"], -1, seconds)


def told(case: Case, found: Found) -> str:
    """One side's cell of the table."""
    count = len(found.rows)
    if case.first[0] < 0:
        return f"{sum(map(bool, found.rows)) / count:7.2%}"
    off = np.array([
        min((abs(row - first) for row in rows), default=N)
        for rows, first in zip(found.rows, case.first, strict=False)
    ])  # fmt: skip
    near = off <= NEAR
    extra = sum(map(len, found.rows)) / count - near.mean()
    date = f"{off[near].mean():3.1f} d" if near.any() else "     "
    sets = ""
    if found.covered >= 0:
        some = sum(map(bool, found.rows))
        sets = f", in set {found.covered / some:4.0%}" if some else ",            "
    return f"{near.mean():4.0%} off {date}, {extra:4.1f} more{sets}"


def table(cases: Sequence[Case], most: int, absent: Mapping[str, str]) -> None:
    """Print a line for each case, a column for each side."""
    for case in cases:
        cells = [f"Lupus {told(case, ours(case))}"]
        for peer in _PEERS:
            if peer[0] not in absent:
                cells.append(f"{peer[0]} {told(case, theirs(peer, case, most))}")
        print(f"{case.name:18} | " + " | ".join(cells), flush=True)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the series")
    parser.add_argument("--alone", action="store_true", help="without the peers")
    given = parser.parse_args()
    share = 10 if given.quick else 1
    absent: dict[str, str] = {}
    for name, environment, module, _ in _PEERS:
        try:
            if given.alone:
                raise AbsentError("not asked for")
            command(environment, module)
        except AbsentError as why:
            absent[name] = str(why)
            print(f"{name} is absent: {why}")
    ours(Case("", wandering(np.random.default_rng(0), 3, 0.0), np.full(3, -1)))  # compiles
    print(f"series of {N} days without a change in which one is found, at the rate 1 %:")
    table(calm(10_000 // share), 200 // share, absent)
    print("planted changes: found within a week, days off, other changes a series:")
    table(planted(1_000 // share), 200 // share, absent)


if __name__ == "__main__":
    main()
