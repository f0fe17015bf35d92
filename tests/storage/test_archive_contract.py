"""What every implementation of the archive does with the points and results it stores."""

import json
import random
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.archive import DOCUMENT_SCHEMA, POINT_SCHEMA, RESULT_SCHEMA, SCAN_SCHEMA, Archive
from storage.errors import InvalidError
from storage.selector import LabelCondition, Selector
from storage.series_key import SeriesKey
from storage.source import SourceSpec
from tests.storage.hive_archive.shared import LentArchive, drop_shared
from tests.storage.implementations import ARCHIVES, contract
from tests.storage.points import DAY_MS, START_MS, Row, documents, results, rows_of, table

SOURCE = SourceSpec("s")
ALL = Selector(("*",), -(10**14), 10**14)

repeatable = settings(
    derandomize=True,
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(params=contract(ARCHIVES))
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Archive]:
    opened = ARCHIVES[request.param](tmp_path)
    yield opened
    if not isinstance(opened, LentArchive):
        for source in ("s", "t"):
            opened.purge(source)
    opened.close()


@pytest.fixture(scope="module", autouse=True)
def shared_archives() -> Iterator[None]:
    """Archives that tests of one process share are gone at the end."""
    yield
    drop_shared()


def on_server(archive: Archive) -> bool:
    """Whether each question takes a server seconds: the same properties, on fewer examples."""
    return isinstance(archive, LentArchive)


def newest_by_brute_force(rows: list[Row]) -> list[tuple[str, int, float | None]]:
    """For each series and time the value of the highest sequence, in the order of a scan."""
    best: dict[tuple[SeriesKey, int], tuple[int, float | None]] = {}
    for metric, labels, ts, value, sequence in rows:
        place = (SeriesKey.of("s", metric, labels), ts)
        if place not in best or sequence > best[place][0]:
            best[place] = (sequence, value)
    ordered = sorted(best, key=lambda place: (place[0].metric, place[0].id, place[1]))
    return [(str(key), ts, best[key, ts][1]) for key, ts in ordered]


series_of_test = st.sampled_from(
    [
        ("a", {}),
        ("a", {"region": "jp"}),
        ("a", {"region": "jp", "model": "x"}),
        ("a", {"model": "x", "region": "jp"}),
        ("b", {"region": "j\"p'"}),
        ("a b", {"region": "é"}),
    ]
)
times = st.integers(-40, 40).map(lambda n: START_MS + n * DAY_MS // 4)
points = st.tuples(series_of_test, times, st.none() | st.floats(-1e9, 1e9))
ingests = st.lists(st.lists(points, min_size=1, max_size=12), max_size=5)


@given(ingests, st.randoms(use_true_random=False))
@repeatable
def test_for_one_series_and_time_the_highest_sequence_wins(
    archive: Archive,
    drawn: list[list[tuple[tuple[str, dict[str, str]], int, float | None]]],
    order: random.Random,
) -> None:
    """Whatever the order in which ingests arrive; a null stays, as a tombstone."""
    if on_server(archive) and not LentArchive.next_example(archive, 3):
        return
    archive.purge("s")
    rows: list[Row] = []
    jobs = list(enumerate(drawn, start=1))
    order.shuffle(jobs)
    for sequence, ingest in jobs:
        unique = {
            (SeriesKey.of("s", metric, labels), ts): (metric, labels, ts, value, sequence)
            for (metric, labels), ts, value in ingest
        }
        archive.write_points("s", f"job-{sequence}", table(unique.values()))
        rows.extend(unique.values())
    scan = archive.scan(SOURCE, ALL)
    assert list(scan.keys) == sorted(set(scan.keys), key=lambda key: (key.metric, key.id))
    counted = [sum(SeriesKey.of("s", r[0], r[1]) == key for r in rows) for key in scan.keys]
    assert list(scan.counts) == counted
    assert rows_of(scan) == newest_by_brute_force(rows)
    assert list(archive.series(SOURCE, ALL)) == list(scan.keys)


def test_batches_have_the_schema_of_a_scan(archive: Archive) -> None:
    archive.write_points("s", "j", table([("m", {}, 1, 1.0, 1)]))
    (batch,) = archive.scan(SOURCE, ALL).batches
    assert batch.schema == SCAN_SCHEMA


def test_a_range_is_half_open_and_crosses_days(archive: Archive) -> None:
    rows: list[Row] = [("m", {}, START_MS + n * 1_000, float(n), 1) for n in range(-3, 4)]
    archive.write_points("s", "j", table(rows))
    scan = archive.scan(SOURCE, Selector(("m",), START_MS - 1_000, START_MS + 2_000))
    assert [value for _, _, value in rows_of(scan)] == [-1.0, 0.0, 1.0]
    for start, end in ((START_MS, START_MS), (START_MS + 1, START_MS)):
        assert archive.scan(SOURCE, Selector(("m",), start, end)).keys == ()
    assert list(archive.series(SOURCE, Selector(("m",), START_MS + 3_001, 10**14))) == []


def test_times_before_1970_are_times(archive: Archive) -> None:
    rows: list[Row] = [("m", {}, ts, 1.0, 1) for ts in (-1, -DAY_MS, -DAY_MS - 1, 0)]
    archive.write_points("s", "j", table(rows))
    assert [ts for _, ts, _ in rows_of(archive.scan(SOURCE, ALL))] == [-DAY_MS - 1, -DAY_MS, -1, 0]


CONDITIONS: list[Mapping[str, LabelCondition]] = [
    {},
    {"region": ("jp",)},
    {"region": ("jp", "tw")},
    {"region": None},
    {"region": ("!tw",)},
    {"region": ("jp", "!tw"), "model": None},
    {"region": ("!",)},
    {"region": ("", "q'\\")},
    {"never": None},
    {"never": ("x",)},
]
GLOBS = [(), ("*",), ("ndcg@10",), ("ndcg@*", "x"), ("?dcg@1?",), ("a.c", "[m]*"), ("A*",)]


def matches(labels: Mapping[str, str], wanted: Mapping[str, LabelCondition]) -> bool:
    """Label conditions spelled out without the room's own code."""
    for name, condition in wanted.items():
        value, words = labels.get(name, ""), ("",) if condition is None else condition
        if value in [word[1:] for word in words if word.startswith("!")]:
            return False
        plain = [word for word in words if not word.startswith("!")]
        if plain and value not in plain:
            return False
    return True


def test_selectors_mean_what_brute_force_says(archive: Archive) -> None:
    labels: list[dict[str, str]] = [
        {"region": region, "model": model}
        for region in ("", "jp", "tw", "q'\\")
        for model in ("", "x")
    ]
    metrics = ("ndcg@10", "ndcg@5", "a.c", "abc", "[m]*", "m1")
    rows: list[Row] = [(metric, each, 5, 1.0, 1) for metric in metrics for each in labels]
    archive.write_points("s", "j", table(rows))
    cases = [(GLOBS[0], wanted) for wanted in CONDITIONS]
    cases += [(globs, CONDITIONS[4]) for globs in GLOBS]
    for globs, wanted in cases[::4] if on_server(archive) else cases:
        expected = {
            SeriesKey.of("s", metric, each)
            for metric in metrics
            for each in labels
            if matches(each, wanted)
            and (not globs or any(fnmatchcase(metric, g.replace("[", "[[]")) for g in globs))
        }
        selector = Selector(globs, 0, 10, wanted)
        scan = archive.scan(SOURCE, selector)
        assert set(scan.keys) == expected, selector
        assert len(rows_of(scan)) == len(expected)
        assert set(archive.series(SOURCE, selector)) == expected


def test_the_same_job_again_overwrites_itself(archive: Archive) -> None:
    rows: list[Row] = [("m", {}, n * DAY_MS, float(n), 1) for n in range(3)]
    assert archive.write_points("s", "j", table(rows)) == 3
    assert archive.write_points("s", "j", table(rows)) == 3
    assert list(archive.scan(SOURCE, ALL).counts) == [3]


def test_sources_do_not_see_each_other(archive: Archive) -> None:
    for source in ("s", "s2", "s.2"):
        archive.write_points(source, "j", table([("m", {}, 1, 1.0, 1)]))
    archive.purge("s2")
    archive.purge("never-there")
    assert len(archive.series(SOURCE, ALL)) == 1
    assert len(archive.series(SourceSpec("s.2"), ALL)) == 1
    assert len(archive.series(SourceSpec("s2"), ALL)) == 0


def test_nothing_is_fine(archive: Archive) -> None:
    assert archive.write_points("s", "j", POINT_SCHEMA.empty_table()) == 0
    assert archive.write_results("s", "r", RESULT_SCHEMA.empty_table()) == 0
    scan = archive.scan(SOURCE, ALL)
    assert (scan.keys, scan.counts, list(scan.batches)) == ((), (), [])
    assert archive.read_results("s", "r", 0, 10).num_rows == 0
    assert archive.compact("s") == 0


def test_an_abandoned_scan_harms_nobody(archive: Archive) -> None:
    rows: list[Row] = [("m", {"n": str(n)}, n, 1.0, 1) for n in range(50)]
    archive.write_points("s", "j", table(rows))
    for _ in range(2 if on_server(archive) else 20):
        next(archive.scan(SOURCE, ALL).batches)
    assert len(rows_of(archive.scan(SOURCE, ALL))) == 50


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([("m", {}, 1, float("nan"), 1)], "value"),
        ([("m", {}, 1, float("inf"), 1)], "value"),
        ([("", {}, 1, 1.0, 1)], "metric"),
        ([(None, {}, 1, 1.0, 1)], "metric"),
        ([("m", {"a-b": "x"}, 1, 1.0, 1)], "label"),
        ([("m", {}, None, 1.0, 1)], "ts"),
        ([("m", {}, 10**17, 1.0, 1)], "ts"),
        ([("m", {}, 1, 1.0, None)], "sequence"),
    ],
)
def test_rows_that_cannot_be_points_are_refused_whole(
    archive: Archive, rows: list[Row], complaint: str
) -> None:
    good: list[Row] = [("m", {}, 1, 1.0, 1)]
    with pytest.raises(InvalidError, match=complaint):
        archive.write_points("s", "j", table(good + rows))
    assert archive.scan(SOURCE, ALL).keys == ()


@pytest.mark.parametrize("job", ["", "../x", "a/b", ".hidden", "compact-1", "a b", "é", "x" * 201])
def test_odd_job_names_are_refused(archive: Archive, job: str) -> None:
    with pytest.raises(InvalidError, match="job"):
        archive.write_points("s", job, table([("m", {}, 1, 1.0, 1)]))


def test_missing_columns_are_named(archive: Archive) -> None:
    rows = table([("m", {}, 1, 1.0, 1)]).drop_columns(["value", "sequence"])
    with pytest.raises(InvalidError, match="value, sequence"):
        archive.write_points("s", "j", rows)


def test_a_managed_source_has_no_table_to_probe(archive: Archive) -> None:
    with pytest.raises(InvalidError, match="managed"):
        archive.probe(SOURCE)


# Results


def result(ts: int, generation: int, series: str = "q", **other: object) -> dict[str, object]:
    run = f"run-{generation}"
    base = {"rule": "r", "series": series, "ts": ts, "generation": generation, "run": run}
    return base | other


def test_results_are_the_newest_generation_of_each_point(archive: Archive) -> None:
    draw = random.Random(5)
    everything = []
    for generation in (3, 1, 2, 5, 4):
        rows = [
            result(START_MS + n * DAY_MS // 3, generation, series, status="found")
            for n in range(9)
            for series in ("b", "a")
            if draw.random() < 0.6
        ]
        archive.write_results("s", f"run-{generation}", results(rows))
        everything += rows
    archive.write_results("s", "other", results([result(START_MS, 99, rule="x")]))
    archive.write_results("t", "other", results([result(START_MS, 99)]))
    start, end = START_MS + DAY_MS // 3, START_MS + 2 * DAY_MS
    best: dict[tuple[object, object], int] = {}
    for row in everything:
        ts_ms, newer = row["ts"], row["generation"]
        assert isinstance(ts_ms, int)
        assert isinstance(newer, int)
        if start <= ts_ms < end:
            best[row["series"], ts_ms] = max(best.get((row["series"], ts_ms), 0), newer)
    current = archive.read_results("s", "r", start, end)
    assert current.schema == RESULT_SCHEMA
    found = [(row["series"], row["ts"], row["generation"]) for row in current.to_pylist()]
    assert found == sorted((*place, newer) for place, newer in best.items())


def test_every_column_of_a_result_comes_back(archive: Archive) -> None:
    row = {
        "rule": "r'", "series": "q", "ts": 5, "value": 1.0, "expected": None, "lower": -1.0,
        "upper": 2.0, "score": 3.0, "is_anomaly": True, "severity": 2, "direction": -1,
        "reason": 3, "run": "u", "generation": 7, "status": "withdrawn",
        "change": '{"kind": "level", "size": 1.5}',
    }  # fmt: skip
    archive.write_results("s", "u", results([row]))
    assert archive.read_results("s", "r'", 0, 10).to_pylist() == [row]


def test_the_same_run_again_overwrites_itself(archive: Archive) -> None:
    archive.write_results("s", "u", results([result(1, 1, value=1.0)]))
    archive.write_results("s", "u", results([result(1, 1, value=2.0)]))
    assert archive.read_results("s", "r", 0, 10)["value"].to_pylist() == [2.0]


# What an index is made again of


def told(key: str, generation: int, ts: int = START_MS, kind: str = "anomaly") -> dict[str, object]:
    text = json.dumps({"key": f"{key}\u00fc", "say": f'it\'s\n"{generation}" \\ '})
    run = f"run-{generation}"
    return {
        "kind": kind, "key": key, "ts": ts, "generation": generation, "run": run, "document": text,
    }  # fmt: skip


def test_documents_come_back_as_stories_in_their_order(archive: Archive) -> None:
    days = [START_MS, START_MS + DAY_MS, START_MS + 2 * DAY_MS]
    everything = [
        told(key, generation, ts, kind)
        for generation in (2, 1, 3)
        for key, ts in zip("cab", days, strict=True)
        for kind in ("points", "anomaly")
    ]
    for generation in (2, 1, 3):
        some = [row for row in everything if row["generation"] == generation]
        assert archive.write_documents("s", f"run-{generation}", documents(some)) == 6
    assert archive.write_documents("s", "run-3", documents(some)) == 6, "the same job again"
    archive.write_documents("t", "other", documents([told("x", 9)]))
    assert list(archive.days("documents", "s")) == ["2026-01-01", "2026-01-02", "2026-01-03"]
    assert list(archive.days("documents", "nobody")) == []
    between = (START_MS, START_MS + 2 * DAY_MS)
    batches = list(archive.documents("s", *between))
    assert all(batch.schema == DOCUMENT_SCHEMA for batch in batches)
    found = [row for batch in batches for row in batch.to_pylist()]
    expected = [row for row in everything if row["key"] != "b"]
    expected.sort(key=lambda row: [str(row[name]) for name in ("kind", "key", "generation")])
    assert found == expected
    assert list(archive.documents("s", START_MS - DAY_MS, START_MS)) == []


def test_days_of_points_know_their_versions(archive: Archive) -> None:
    noon = START_MS + DAY_MS // 2
    first: list[Row] = [
        ("m", {"a": "x"}, START_MS, 1.0, 5), ("m", {"a": "x"}, noon, 2.0, 5), ("m", {}, noon, 1, 5),
    ]  # fmt: skip
    second: list[Row] = [("m", {"a": "x"}, noon, None, 7), ("n", {}, noon + DAY_MS, None, 7)]
    archive.write_points("s", "j1", table(first))
    archive.write_points("s", "j2", table(second))
    x, bare, n = (
        SeriesKey.of("s", metric, labels).id
        for metric, labels in (("m", {"a": "x"}), ("m", {}), ("n", {}))
    )
    found = [
        tuple(row.values())
        for batch in archive.point_days("s", START_MS, START_MS + 2 * DAY_MS)
        for row in batch.to_pylist()
    ]
    assert set(found) == {
        (x, "2026-01-01", 7, 5, START_MS, noon),
        (bare, "2026-01-01", 5, 5, noon, noon),
        (n, "2026-01-02", 7, None, None, None),
    }
    assert len(found) == 3
    assert list(archive.days("points", "s")) == ["2026-01-01", "2026-01-02"]
    assert list(archive.point_days("s", 0, DAY_MS)) == []


def test_compaction_and_purge_hold_for_documents(archive: Archive) -> None:
    jobs = 18
    for job in range(jobs):
        archive.write_documents("s", f"run-{job}", documents([told("k", job)]))
    archive.compact("s")
    found = [g for b in archive.documents("s", 0, 10**14) for g in b["generation"].to_pylist()]
    assert sorted(set(found)) == list(range(jobs))
    archive.purge("s")
    assert list(archive.documents("s", 0, 10**14)) == []


# Compaction


def test_compaction_changes_no_answer(archive: Archive) -> None:
    """Seventeen ingests into one day are folded; later ones count too, and so does a retry."""
    rows: list[Row] = []
    jobs = 18 if on_server(archive) else 40
    for job in range(jobs):
        some: list[Row] = [
            ("m", {"n": str(n)}, START_MS + (job * 7 + n) % 50, float(job), job) for n in range(5)
        ]
        archive.write_points("s", f"job-{job}", table(some))
        archive.write_results("s", f"run-{job}", results([result(START_MS + job % 3, job)]))
        rows += some
    archive.write_points("s", "job-3", table(rows[15:20]))
    archive.compact("s")
    assert rows_of(archive.scan(SOURCE, ALL)) == newest_by_brute_force(rows)
    current = archive.read_results("s", "r", 0, 10**14).to_pylist()
    newest = {job % 3: job for job in range(jobs)}
    assert [row["generation"] for row in current] == [newest[ts] for ts in range(3)]
