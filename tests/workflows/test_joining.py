"""Series that differ in a joined label only are judged as one, with one baseline."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from storage.archive import SCAN_SCHEMA, DuplicateCount, Scan
from storage.series_key import SeriesKey
from storage.source import SourceSpec
from tests.workflows.publishing import DAY, SOURCE, START, House, Points, flat, house_at, key
from workflows.joining import joined_key, read_series
from workflows.judged_point import KeptRun, points_of_now

WINDOW = {"type": "window", "window": "28d", "min_points": 10, "min_rel_change": 0.01}
V9, V10 = key("ndcg", region="jp", model="v9"), key("ndcg", region="jp", model="v10")
BOTH = key("ndcg", region="jp")


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[House]:
    with house_at(tmp_path) as one:
        yield one


def release(day: int, after: float) -> Points:
    """Forty days of v9 until a day, then v10 with another level; a gentle wave on both."""
    wave = [0.4 + 0.004 * (at % 5) for at in range(40)]
    return {
        (V9 if at < day else V10, START + at * DAY): wave[at] if at < day else wave[at] + after
        for at in range(40)
    }


def scan(house: House, join: tuple[str, ...] = ("model",), rows: int = 1 << 40) -> Scan:
    request = house.request(50, join=join)
    return read_series(house.stores.archive, request, START, house.context.scratch or Path(), rows)


def told(scan: Scan) -> dict[tuple[SeriesKey, int], float | None]:
    """What a scan says, checked to be in order and once for each time."""
    rows = [row for batch in scan.batches for row in batch.to_pylist()]
    places = [(row["number"], row["ts"]) for row in rows]
    assert places == sorted(set(places))
    return {(scan.keys[row["number"]], row["ts"]): row["value"] for row in rows}


def test_a_release_keeps_its_baseline_and_a_bad_one_is_found_on_its_first_day(rooms: House) -> None:
    rooms.put(release(35, after=-0.2))
    asked: dict[str, Any] = {"detector": WINDOW, "start_ms": START + 35 * DAY, "metrics": ("ndcg",)}
    alone = rooms.run(40, rule="alone", **asked)
    assert alone.counts["anomalous"] == 0
    assert alone.counts["insufficient_history"] == 5
    together = rooms.run(40, rule="together", join=("model",), **asked)
    assert together.counts["series"] == 1
    assert together.counts["insufficient_history"] == 0
    found = rooms.anomalies(rule="together")
    first = found[str(BOTH), 35]
    assert (first.series, dict(first.labels)) == (BOTH.id, {"region": "jp"})
    assert first.direction == "down"


def test_a_good_release_is_not_news(rooms: House) -> None:
    rooms.put(release(35, after=0.001))
    asked: dict[str, Any] = {"detector": WINDOW, "start_ms": START + 35 * DAY, "join": ("model",)}
    assert rooms.run(40, **asked).counts["anomalous"] == 0


def test_where_versions_overlap_the_later_one_counts(rooms: House) -> None:
    rooms.put({**flat(V10, 3, 10.0), **flat(V9, 5, 9.0), **flat(key("ndcg", region="jp"), 6, 1.0)})
    values = [value for _, value in sorted(told(scan(rooms)).items(), key=lambda one: one[0][1])]
    assert values == [10.0, 10.0, 10.0, 9.0, 9.0, 1.0]


def test_a_tombstone_of_one_version_leaves_anothers_point(rooms: House) -> None:
    rooms.put({**flat(V10, 3, 10.0), **flat(V9, 2, 9.0)})
    rooms.put({(V10, START): None, (V10, START + 2 * DAY): None})
    found = told(scan(rooms))
    assert [found[BOTH, START + day * DAY] for day in range(3)] == [9.0, 10.0, None]


def test_other_labels_keep_series_apart(rooms: House) -> None:
    tw = key("ndcg", region="tw", model="v9")
    rooms.put({**flat(V9, 2, 1.0), **flat(V10, 3, 2.0), **flat(tw, 2, 3.0)})
    found = scan(rooms)
    assert set(found.keys) == {BOTH, key("ndcg", region="tw")}
    assert dict(zip(found.keys, found.counts, strict=True))[BOTH] == 5  # before versions
    assert len(told(found)) == 5


def test_without_join_nothing_changes(rooms: House) -> None:
    rooms.put({**flat(V9, 2, 1.0), **flat(V10, 3, 2.0)})
    assert set(scan(rooms, join=()).keys) == {V9, V10}


class Stream:
    """An archive that streams given rows."""

    def __init__(self, given: Scan) -> None:
        self.given = given

    def scan(self, *asked: object) -> Scan:
        return self.given


@pytest.mark.parametrize("rows", [1, 7, 40, 1_000, 1 << 40])
@pytest.mark.parametrize("seed", range(4))
def test_what_is_spilled_is_what_is_held(
    rooms: House, tmp_path: Path, rows: int, seed: int
) -> None:
    """Against the obvious way: a dictionary, the later version over the earlier one."""
    chance = random.Random(seed)
    members = sorted(
        {
            key(
                chance.choice(["a", "b"]),
                region=chance.choice(["jp", "tw", ""]),
                model=chance.choice(["", "v2", "v10", "v9", "w"]),
            )
            for _ in range(12)
        },
        key=lambda one: (one.metric, one.id),
    )
    table = [
        (number, START + day * DAY, chance.choice([None, chance.random()]))
        for number in range(len(members))
        for day in sorted(chance.sample(range(20), chance.randint(0, 20)))
    ]
    columns = list(zip(*table, strict=True))
    whole = pa.RecordBatch.from_arrays(
        [pa.array(c, f.type) for c, f in zip(columns, SCAN_SCHEMA, strict=True)], schema=SCAN_SCHEMA
    )
    cuts = sorted(chance.sample(range(len(table)), 3))
    bounds = list(zip([0, *cuts], [*cuts, len(table)], strict=True))
    counts = [sum(row[0] == number for row in table) for number in range(len(members))]
    given = Scan(members, counts, (whole.slice(a, b - a) for a, b in bounds), DuplicateCount())
    request = rooms.request(50, join=("model",))
    found = read_series(Stream(given), request, START, tmp_path, rows)  # type: ignore[arg-type]

    age = {"": 0, "v2": 1, "v9": 2, "v10": 3, "w": 4}
    expected: dict[tuple[SeriesKey, int], float | None] = {}
    for number, ts, value in sorted(
        table, key=lambda row: age[dict(members[row[0]].labels).get("model", "")]
    ):
        at = joined_key(members[number], ("model",)), ts
        if value is not None or at not in expected:
            expected[at] = value
    assert told(found) == expected
    assert list(tmp_path.glob("joined-*")) == []


def test_a_joined_series_is_explained_and_drawn(rooms: House) -> None:
    rooms.put(release(35, after=-0.2))
    asked = rooms.request(
        40, detector=WINDOW, start_ms=START + 35 * DAY, join=("model",), labels={"model": ("!v8",)}
    )
    rooms.judge(asked)
    kept = KeptRun.of(rooms.stores.objects, asked)
    assert kept is not None
    series = kept.series(BOTH.id)
    assert series is not None
    read, now = kept.points(series), points_of_now(rooms.stores.archive, asked, BOTH)
    assert now is not None
    assert read.series.values.tolist() == now.series.values.tolist()
    assert now.series.epoch_ms[0] < START + 8 * DAY, "four weeks before the range, all of v9"

    rooms.run(40, detector=WINDOW, start_ms=START + 35 * DAY, join=("model",))
    index = rooms.stores.index
    days = list(index.points(SOURCE, [BOTH.id], START, START + 40 * DAY))
    assert [day.ts_ms[0] for day in days] == [START + at * DAY for at in range(35, 40)]
    assert [one.labels for one in index.series(SOURCE, ("ndcg",), {}).items] == [{"region": "jp"}]
    assert SourceSpec(SOURCE).managed
