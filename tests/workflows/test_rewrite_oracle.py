"""After 5 % of the points were rewritten, exactly the affected anomalies change.

The oracle knows nothing of plans, chunks and stores: it judges every point by itself, before and
after, and says what must differ.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from storage.series_key import SeriesKey
from tests.workflows.publishing import DAY, START, House, document, house_at, key

SERIES = [key("ndcg", n=str(n)) for n in range(40)]
DAYS, FIRST = 60, 40  # the range is [FIRST, DAYS)
Values = dict[tuple[SeriesKey, int], float | None]  # by day


@dataclass(frozen=True)
class Verdict:
    """Of one point; `value`, `expected` and bounds as numbers, `side` +1, -1 or 0."""

    value: float
    expected: float
    lower: float
    upper: float
    side: int


Judge = Callable[[Mapping[int, float], int], Verdict]


def threshold(history: Mapping[int, float], day: int) -> Verdict:
    value = history[day]
    return Verdict(value, 0.0, -3.0, 3.0, int(value > 3.0) - int(value < -3.0))


def window(history: Mapping[int, float], day: int) -> Verdict:
    """The mean of the 14 days before, plus and minus half of it."""
    before = [history[d] for d in range(day - 14, day) if d in history]
    expected = sum(before) / len(before)
    half = abs(expected) * 0.5
    value = history[day]
    side = int(value > expected + half) - int(value < expected - half)
    return Verdict(value, expected, expected - half, expected + half, side)


DETECTORS: dict[str, tuple[dict[str, Any], Judge, float]] = {
    "threshold": ({"type": "threshold", "lower": -3.0, "upper": 3.0}, threshold, 0.0),
    "window": (
        {
            "type": "window", "window": "14d", "method": "pct", "p": 50.0, "centre": "mean",
            "min_points": 3, "no_data": "ignore",
        },
        window,
        20.0,
    ),
}  # fmt: skip


def judged(values: Values, judge: Judge) -> dict[tuple[str, int], Verdict]:
    found = {}
    for series in SERIES:
        history = {d: v for (s, d), v in values.items() if s == series and v is not None}
        for day in range(FIRST, DAYS):
            if day in history:
                found[str(series), day] = judge(history, day)
    return found


def close(a: Verdict, b: Verdict) -> bool:
    pairs = zip(vars(a).values(), vars(b).values(), strict=True)
    return all(abs(x - y) <= 1e-9 * max(abs(x), abs(y)) for x, y in pairs)


@dataclass(frozen=True)
class Expected:
    """What must become of each place that is or was an anomaly."""

    new: set[tuple[str, int]]
    changed: dict[tuple[str, int], str]  # cause
    withdrawn: dict[tuple[str, int], str]
    unchanged: set[tuple[str, int]]


def expect(before: Values, after: Values, judge: Judge) -> Expected:
    old, new = judged(before, judge), judged(after, judge)
    expected = Expected(set(), {}, {}, set())
    series_of = {str(series): series for series in SERIES}
    for place in sorted(old.keys() | new.keys()):
        was = place in old and old[place].side != 0
        now = place in new and new[place].side != 0
        at = (series_of[place[0]], place[1])
        cause = "data" if before.get(at) != after.get(at) else "baseline"
        if was and not now:
            expected.withdrawn[place] = cause
        elif now and not was:
            expected.new.add(place)
        elif was and now:
            if close(old[place], new[place]):
                expected.unchanged.add(place)
            else:
                expected.changed[place] = cause
    return expected


def first_values(seed: int, level: float) -> Values:
    random = np.random.default_rng(seed)
    values: Values = {}
    for series in SERIES:
        for day in range(DAYS):
            spike = random.random() < 0.1
            size = random.choice([-1, 1]) * random.uniform(8, 30) if spike else random.normal()
            values[series, day] = level + float(size)
    return values


def rewritten(values: Values, seed: int, level: float) -> Values:
    """5 % of all points anew, many of them spikes: some vanish, some appear, some are removed."""
    random = np.random.default_rng(seed)
    places: Sequence[tuple[SeriesKey, int]] = list(values)
    weights = np.array([5.0 if abs((v or 0) - level) > 5 else 1.0 for v in values.values()])
    changes: Values = {}
    for number in random.choice(
        len(places), len(places) // 20, replace=False, p=weights / weights.sum()
    ):
        kind = random.integers(0, 4)
        noise = level + float(random.normal())
        changes[places[number]] = (noise, noise, level + 25.0, None)[kind]
    return changes


def by_day(values: Values) -> dict[tuple[SeriesKey, int], float | None]:
    return {(series, START + day * DAY): value for (series, day), value in values.items()}


def run(house: House, detector: dict[str, Any]) -> tuple[Any, dict[tuple[str, int], Any]]:
    report = house.run(DAYS, start_ms=START + FIRST * DAY, detector=detector)
    assert report.outcome == "succeeded"
    changes = {
        (str(SeriesKey.of("job.rank", c.metric, c.labels)), (c.ts_ms - START) // DAY): c
        for c in house.changes(report)
    }
    return report, changes


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_rerun_changes_exactly_what_was_affected(tmp_path: Path, name: str, seed: int) -> None:
    detector, judge, level = DETECTORS[name]
    with house_at(tmp_path, group_points=200, chunk_seconds=1e-12) as house:
        before = first_values(seed, level)
        house.put(by_day(before))
        run(house, detector)
        found = {place for place, verdict in judged(before, judge).items() if verdict.side}
        assert house.found() == found
        documents = house.anomalies()

        changes = rewritten(before, seed + 100, level)
        house.put(by_day(changes))
        after = before | changes
        expected = expect(before, after, judge)
        report, said = run(house, detector)

        kinds = {kind: {p: c.cause for p, c in said.items() if c.kind == kind} for kind in
                 ("new", "changed", "withdrawn")}  # fmt: skip
        assert kinds["new"].keys() == expected.new
        assert kinds["changed"] == expected.changed
        assert kinds["withdrawn"] == expected.withdrawn
        assert report.counts["unchanged"] == len(expected.unchanged)
        assert report.counts["unverified"] == 0
        assert all(len(some) > 1 for some in (expected.new, expected.withdrawn))
        removed = {p for p, c in said.items() if c.reason == "point_removed"}
        assert removed == {
            (str(series), day)
            for (series, day), value in changes.items()
            if value is None and (str(series), day) in found
        }
        now = house.anomalies()
        for place in expected.unchanged:
            same, old = (document(d[place], "episode_start_ms") for d in (now, documents))
            assert same == old

        again, nothing = run(house, detector)
        assert nothing == {}
        assert house.anomalies() == now
        assert again.counts["unchanged"] == again.counts["anomalous"]
