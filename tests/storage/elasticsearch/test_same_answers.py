"""Random steps on SQLite and on a real Elasticsearch: the same answers."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from storage.index import (
    Anomaly,
    AnomalyQuery,
    AnomalyWrite,
    Band,
    Index,
    SeriesEntry,
    StoredAnomaly,
    Verdict,
)
from storage.sqlite.index import SqliteIndex
from tests.storage.documents import DAY_MS, anomaly, band, day, entry
from tests.storage.elasticsearch.server import own_place

pytestmark = pytest.mark.real

STEPS = 30
METRICS = ("ndcg@10", "m*1", "émile", "a\\b")
LABELS: tuple[dict[str, str], ...] = ({}, {"region": "jp"}, {"region": "tw", "model": "1"})
VERDICTS: tuple[Verdict, ...] = ("none", "acknowledged", "expected", "false")


@pytest.fixture
def both(tmp_path: Path) -> Iterator[tuple[Index, Index]]:
    with own_place() as place:
        one, other = SqliteIndex(tmp_path / "index.db"), place.open()
        yield one, other
        one.close()
        other.close()


def _documents(chance: random.Random, generation: int) -> list[Anomaly]:
    return [
        anomaly(
            chance.randrange(-3, 40) * 5 * DAY_MS,
            generation,
            metric=chance.choice(METRICS),
            labels=chance.choice(LABELS),
            source=chance.choice("st"),
            status=chance.choice(["found", "withdrawn"]),
            severity=chance.choice(["warning", "major", "critical"]),
            value=chance.choice([None, chance.gauss(0, 1e6), float("inf"), 1e-300]),
        )
        for _ in range(chance.randrange(1, 12))
    ]


def _known(index: Index, series: list[str], source: str) -> dict[str, StoredAnomaly]:
    found = index.known_anomalies(source, "r", series, -(10**10), 10**13)
    return {each.anomaly.id: each for each in found}


def _entry(chance: random.Random, step: int) -> SeriesEntry:
    first_ms = chance.randrange(1_000)
    return entry(
        chance.choice(METRICS),
        chance.randrange(step + 1),
        chance.choice(LABELS),
        source=chance.choice("st"),
        step_ms=chance.choice([None, 60, 3_600]),
        first_ms=first_ms,
        last_ms=first_ms + chance.randrange(100),
    )


def _band(chance: random.Random, step: int) -> Band:
    run = chance.randrange(4)
    made = band(chance.randrange(step + 1), chance.choice("qp"), chance.choice("rx"), f"u{run}")
    return replace(made, ts_ms=[run, run + 31 * DAY_MS * run])


def _change(chance: random.Random, step: int, indexes: tuple[Index, Index]) -> None:
    kind = chance.choice(["write", "write", "write", "verdict", "chart", "series", "purge", "old"])
    generation = max(1, step - chance.randrange(4))
    documents = _documents(chance, generation)
    verdict, days = chance.choice(VERDICTS), [
        day(chance.randrange(40) % 28, chance.randrange(step + 1) + 1, (chance.random(), None))
        for _ in range(4)
    ]  # fmt: skip
    bands = [_band(chance, step) for _ in range(3)]
    entries = [_entry(chance, step) for _ in range(6)]
    outcomes: list[object] = []
    for index in indexes:
        if kind in ("write", "old"):
            series = [each.series for each in documents]
            known = _known(index, series, "s") | _known(index, series, "t")
            if kind == "old":  # somebody wrote after it was read
                newer = [replace(each, generation=generation + 1) for each in documents[::2]]
                index.write_anomalies([AnomalyWrite(each, None) for each in newer])
            versions = {id_: each.version for id_, each in known.items()}
            writes = [AnomalyWrite(each, versions.get(each.id)) for each in documents]
            outcomes.append(index.write_anomalies(writes))
        elif kind == "verdict":
            outcomes.append(index.set_verdict(documents[0].id, verdict, "c", "kim", step))
        elif kind == "chart":
            index.put_points(days)
            index.put_bands(bands)
        elif kind == "series":
            index.put_series(entries)
        elif step % 9 == 0:
            # Charts of lower versions come back only a minute after their purge.
            index.purge("t")
    assert len({repr(each) for each in outcomes}) <= 1, (step, kind, outcomes)


def _answers(chance: random.Random, index: Index) -> list[object]:
    source = chance.choice(["s", "t", None])
    query = AnomalyQuery(
        source=source,
        metrics=chance.choice([(), ("n*",), ("m?1", "émile"), ("a\\*",), ("m*1",)]),
        labels=chance.choice([{}, {"region": ("jp", "")}, {"region": ("!tw",)}, {"model": None}]),
        min_severity=chance.choice([None, "major", "critical"]),
        status=chance.choice([None, "found"]),
        verdict=chance.choice([None, "none", "false"]),
        start_ms=chance.choice([None, 0, 40 * DAY_MS]),
        end_ms=chance.choice([None, 100 * DAY_MS]),
    )
    found: list[object] = [index.counts(), index.metrics("s"), index.metrics("t")]
    limit, cursor = chance.randrange(1, 9), None
    while True:
        page = index.search_anomalies(query, limit, cursor)
        found.append(page)
        cursor = page.cursor
        if cursor is None:
            break
    found.append([each.anomaly for each in _known(
        index, [anomaly(metric=m, labels=c).series for m in METRICS for c in LABELS], "s"
    ).values()])  # fmt: skip
    found.append(index.series("s", ("*",), {"region": ("!jp",)}, limit))
    found.append(list(index.bands("s", ["p", "q"], chance.choice([None, "r"]))))
    found.append(list(index.points("s", ["q"], 0, 10**13)))
    found.append(index.expire(chance.randrange(250) * DAY_MS, dry_run=chance.random() < 0.9))
    return found


@pytest.mark.parametrize("seed", [1, 2])
def test_random_steps_give_the_same_answers(both: tuple[Index, Index], seed: int) -> None:
    chance = random.Random(seed)
    answered = 0
    for step in range(1, STEPS + 1):
        _change(chance, step, both)
        for index in both:
            index.refresh()
        question = chance.random()
        one, other = (_answers(random.Random(question), index) for index in both)
        for left, right in zip(one, other, strict=True):
            assert left == right, step
        answered += len(one)
    assert answered > 3 * STEPS
