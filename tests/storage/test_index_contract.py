"""What every implementation of the index does."""

import multiprocessing
from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.errors import InvalidError
from storage.index import (
    Anomaly,
    AnomalyQuery,
    AnomalyWrite,
    Index,
    WriteOutcome,
)
from storage.selector import LabelCondition
from tests.real import server
from tests.storage.documents import anomaly, day, entry, new
from tests.storage.implementations import INDEXES, SERVERS, contract, discard_index

SPAWN = multiprocessing.get_context("spawn")
repeatable = settings(
    derandomize=True,
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
# A real server takes seconds for an example.
EXAMPLES_ON_A_SERVER = 5


@pytest.fixture(params=contract(INDEXES))
def implementation(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(autouse=True)
def leave_nothing(implementation: str, tmp_path: Path) -> Iterator[None]:
    if implementation in SERVERS:
        server(SERVERS[implementation])  # skips where there is none
    yield
    discard_index(implementation, tmp_path)


@pytest.fixture
def examples(implementation: str) -> Iterator[int]:
    """Counts down the examples that are worth their time."""
    return iter(range(EXAMPLES_ON_A_SERVER if implementation in SERVERS else 10**6))


@pytest.fixture
def index(implementation: str, tmp_path: Path) -> Iterator[Index]:
    opened = INDEXES[implementation](tmp_path)
    yield opened
    opened.close()


def stored(index: Index, id_: str) -> Anomaly:
    index.refresh()
    found = index.anomaly(id_)
    assert found is not None
    return found


def version_of(index: Index, document: Anomaly) -> str:
    index.refresh()
    series = [document.series]
    known = index.known_anomalies(document.source, document.rule, series, 0, 10**15)
    return next(each.version for each in known if each.anomaly.id == document.id)


# Guarded writes of anomalies


def test_the_change_that_an_anomaly_is_comes_back_as_it_was(index: Index) -> None:
    said = {"kind": "level", "size": 12.3, "confidence": 0.999, "earliest_ms": 4, "latest_ms": 6}
    plain, changed = anomaly(4), anomaly(5, change=said)
    index.write_anomalies([new(plain), new(changed)])
    assert stored(index, plain.id).change is None
    assert stored(index, changed.id).change == said
    later = replace(changed, generation=2, change={**said, "size": 12.5, "latest_ms": 5})
    index.write_anomalies([AnomalyWrite(later, version_of(index, changed))])
    assert stored(index, changed.id).change == later.change


def test_of_a_change_nothing_stays_but_what_was_written_last(index: Index) -> None:
    said = {"kind": "level", "size": 12.3, "confidence": 0.999, "earliest_ms": 4, "latest_ms": 6}
    other = {"kind": "slope", "size": 1.0}
    documents = [anomaly(5, generation + 1, change=change)
                 for generation, change in enumerate([said, other, None, None, said])]  # fmt: skip
    index.write_anomalies([new(documents[0])])
    for document in documents[1:]:
        index.write_anomalies([AnomalyWrite(document, version_of(index, document))])
        assert stored(index, document.id) == document
    # A run that knew of none: it reads again, and what it does not say goes.
    index.write_anomalies([new(anomaly(5, 9))])
    assert stored(index, anomaly(5).id) == anomaly(5, 9)


def test_a_label_that_is_too_long_to_be_searched_is_kept(index: Index) -> None:
    # Of somebody's own table: no limit of ours has ever seen it.
    long = {"query": "\u65e5" * 20_000, "region": "jp"}
    index.write_anomalies([new(anomaly(labels=long))])
    index.put_series([entry(labels=long)])
    index.refresh()
    found = index.search_anomalies(AnomalyQuery(labels={"region": ("jp",)}), 10).items
    assert [each.labels for each in found] == [long]
    assert [each.labels for each in index.series("s").items] == [long]


def test_a_document_comes_back_as_it_was_written(index: Index) -> None:
    document = anomaly(5, labels={"region": 'j"p', "model": "é"}, cause="data", upper=float("nan"))
    assert index.write_anomalies([new(document)]) == WriteOutcome(1, 0)
    assert stored(index, document.id) == replace(document, upper=None)


def test_infinite_numbers_become_null(index: Index) -> None:
    index.write_anomalies([new(anomaly(score=float("inf"), lower=float("-inf")))])
    assert stored(index, anomaly().id).score is None
    assert stored(index, anomaly().id).lower is None


def test_the_same_write_again_changes_nothing(index: Index) -> None:
    assert index.write_anomalies([new(anomaly())]) == WriteOutcome(1, 0)
    assert index.write_anomalies([new(anomaly())]) == WriteOutcome(1, 0)
    index.refresh()
    assert index.counts()["anomalies"] == 1
    assert stored(index, anomaly().id) == anomaly()


@pytest.mark.parametrize("known", [False, True], ids=["create", "update"])
@pytest.mark.parametrize("mine", [1, 2, 3])
def test_on_a_conflict_the_higher_generation_wins(index: Index, mine: int, known: bool) -> None:
    """Somebody of generation 2 wrote after I had read: I undo nothing of a newer run."""
    if known:
        index.write_anomalies([new(anomaly(generation=0))])
    seen = version_of(index, anomaly()) if known else None
    other = anomaly(generation=2, status="withdrawn", run="other")
    index.write_anomalies([AnomalyWrite(other, seen)])
    outcome = index.write_anomalies([AnomalyWrite(anomaly(generation=mine, value=9.0), seen)])
    assert outcome == (WriteOutcome(0, 1) if mine < 2 else WriteOutcome(1, 0))
    after = stored(index, anomaly().id)
    assert (after.generation, after.status, after.value) == (
        (3, "found", 9.0) if mine == 3 else (2, "withdrawn", 1.5)
    )


def test_a_current_version_does_not_let_an_old_run_through(index: Index) -> None:
    """An old run may even have read the newer document before it writes."""
    index.write_anomalies([new(anomaly(generation=5, status="withdrawn"))])
    seen = version_of(index, anomaly())
    outcome = index.write_anomalies([AnomalyWrite(anomaly(generation=4), seen)])
    assert outcome == WriteOutcome(0, 1)
    assert stored(index, anomaly().id).status == "withdrawn"


def test_a_document_removed_in_between_is_created(index: Index) -> None:
    index.write_anomalies([new(anomaly())])
    seen = version_of(index, anomaly())
    index.purge("s")
    assert index.write_anomalies([AnomalyWrite(anomaly(generation=2), seen)]).written == 1
    assert stored(index, anomaly().id).generation == 2


def test_people_and_detection_never_write_each_others_fields(index: Index) -> None:
    index.write_anomalies([new(anomaly(verdict="false", comment="from a run"))])
    assert stored(index, anomaly().id).verdict == "none"
    answered = index.set_verdict(anomaly().id, "expected", "a sale", "kim", 77)
    assert answered == replace(
        anomaly(), verdict="expected", comment="a sale", verdict_by="kim", verdict_at_ms=77
    )
    seen = version_of(index, anomaly())
    index.write_anomalies([AnomalyWrite(anomaly(generation=2, verdict="none"), seen)])
    index.write_anomalies([new(anomaly(generation=3))])
    after = stored(index, anomaly().id)
    assert (after.generation, after.verdict, after.comment) == (3, "expected", "a sale")
    assert (after.verdict_by, after.verdict_at_ms) == ("kim", 77)


def test_a_verdict_on_nothing_is_none(index: Index) -> None:
    assert index.set_verdict("0" * 32, "false", "", "kim", 1) is None
    assert index.anomaly("0" * 32) is None


def test_a_version_that_no_index_gave_is_refused(index: Index) -> None:
    with pytest.raises(InvalidError, match="version"):
        index.write_anomalies([AnomalyWrite(anomaly(), "x")])


def test_known_anomalies_are_of_the_rule_the_series_and_the_half_open_range(index: Index) -> None:
    wanted = [anomaly(10), anomaly(19, status="withdrawn", cause="data")]
    others = [anomaly(9), anomaly(20), anomaly(15, rule="x"), anomaly(15, source="y"),
              anomaly(15, metric="z")]  # fmt: skip
    index.write_anomalies([new(document) for document in [*others, *wanted]])
    index.refresh()
    series = [anomaly().series, *(f"{number:032d}" for number in range(2_500))]
    known = list(index.known_anomalies("s", "r", [*series, *series], 10, 20))
    assert [each.anomaly for each in known] == wanted
    assert list(index.known_anomalies("s", "r", [], 10, 20)) == []


# Search


def test_search_is_newest_first_then_by_id(index: Index) -> None:
    documents = [anomaly(ts, metric=m) for ts in (1, 3, 2) for m in ("b", "a", "c")]
    index.write_anomalies(new(document) for document in documents)
    index.refresh()
    found = list(index.search_anomalies(AnomalyQuery(), 100).items)
    assert found == sorted(documents, key=lambda each: (-each.ts_ms, each.id))


FILTERS: list[tuple[AnomalyQuery, str]] = [
    (AnomalyQuery(source="t"), "t"),
    (AnomalyQuery(sources=("t", "u")), "t"),
    (AnomalyQuery(sources=()), ""),
    (AnomalyQuery(source="s", sources=("t",)), ""),
    (AnomalyQuery(rule="x"), "x"),
    (AnomalyQuery(metrics=("ndcg", "zz")), "n"),
    (AnomalyQuery(metrics=("re*@1?",)), "g"),
    (AnomalyQuery(metrics=("a[b]*",)), "k"),
    (AnomalyQuery(labels={"region": ("tw",)}), "w"),
    (AnomalyQuery(labels={"region": None}), "o"),
    (AnomalyQuery(start_ms=100, end_ms=200), "a"),
    (AnomalyQuery(min_severity="critical"), "c"),
    (AnomalyQuery(status="withdrawn"), "v"),
    (AnomalyQuery(run="run-7"), "7"),
    (AnomalyQuery(series=anomaly(metric="only").series), "y"),
]


@pytest.mark.parametrize(("query", "marks"), FILTERS)
def test_each_field_of_a_search_must_match(index: Index, query: AnomalyQuery, marks: str) -> None:
    documents = {
        "t": anomaly(source="t"),
        "x": anomaly(rule="x"),
        "n": anomaly(metric="ndcg"),
        "g": anomaly(metric="recall@10"),
        "k": anomaly(metric="a[b]c"),
        "w": anomaly(labels={"region": "tw"}),
        "o": anomaly(labels={"model": "1"}),
        "a": anomaly(199),
        "e": anomaly(200),
        "c": anomaly(severity="critical", metric="q1"),
        "v": anomaly(status="withdrawn", metric="q2"),
        "7": anomaly(generation=7, metric="q3"),
        "y": anomaly(metric="only"),
    }
    index.write_anomalies(new(document) for document in documents.values())
    index.refresh()
    found = {each.id for each in index.search_anomalies(query, 100).items}
    assert found == {documents[mark].id for mark in marks}


def test_search_by_verdict(index: Index) -> None:
    index.write_anomalies([new(anomaly(1)), new(anomaly(2))])
    index.refresh()
    index.set_verdict(anomaly(1).id, "false", "", "kim", 1)
    index.refresh()
    page = index.search_anomalies(AnomalyQuery(verdict="false"), 10)
    assert [each.ts_ms for each in page.items] == [1]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(1, 5))
@repeatable
def test_pages_of_any_sizes_give_every_document_once_in_order(
    index: Index, examples: Iterator[int], sizes: list[int], times: int
) -> None:
    """Documents that share a time are the hard case, and writes in between come on top."""
    if next(examples, None) is None:
        return
    index.purge("s")
    documents = [anomaly(n % times, metric=f"m{n}") for n in range(30)]
    index.write_anomalies(new(document) for document in documents)
    index.refresh()
    seen: list[Anomaly] = []
    cursor = None
    for turn in range(100):
        limit = sizes[turn % len(sizes)]
        page = index.search_anomalies(AnomalyQuery(source="s"), limit, cursor)
        assert len(page.items) <= limit
        seen.extend(page.items)
        index.write_anomalies([new(anomaly(100 + turn, metric="late"))])
        index.refresh()
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == sorted(documents, key=lambda each: (-each.ts_ms, each.id))


label_values = st.sampled_from(["", "jp", "tw", "us", "j'p"])
conditions = st.dictionaries(
    st.sampled_from(["region", "model"]),
    st.none()
    | st.lists(
        label_values | label_values.map(lambda value: "!" + value), min_size=1, max_size=3
    ).map(tuple),
    max_size=2,
)


def brute_force(labels: dict[str, str], wanted: dict[str, LabelCondition]) -> bool:
    """The meaning of label conditions, spelled out without the room's own code."""
    for name, condition in wanted.items():
        value = labels.get(name, "")
        if condition is None:
            if value != "":
                return False
            continue
        if any(word.startswith("!") and value == word[1:] for word in condition):
            return False
        plain = [word for word in condition if not word.startswith("!")]
        if plain and value not in plain:
            return False
    return True


@given(conditions, st.sampled_from([(), ("m*",), ("m1", "n?"), ("*",)]))
@repeatable
def test_label_conditions_and_globs_mean_what_brute_force_says(
    index: Index, wanted: dict[str, LabelCondition], metrics: tuple[str, ...]
) -> None:
    entries = [
        entry(metric, labels={"region": region, "model": model})
        for metric in ("m1", "n1", "other")
        for region in ("", "jp", "tw", "j'p")
        for model in ("", "us")
    ]
    if not index.counts()["series"]:
        index.put_series(entries)
        index.write_anomalies(
            new(anomaly(metric=each.metric, labels=dict(each.labels))) for each in entries
        )
        index.refresh()
    expected = {
        each.series
        for each in entries
        if brute_force(dict(each.labels), wanted)
        and (not metrics or any(fnmatchcase(each.metric, glob) for glob in metrics))
    }
    assert {each.series for each in index.series("s", metrics, wanted).items} == expected
    query = AnomalyQuery(source="s", metrics=metrics, labels=wanted)
    assert {each.series for each in index.search_anomalies(query, 100).items} == expected


@pytest.mark.parametrize("labels", [{"a-b": None}, {"a": ()}, {"a') OR 1=1 --": ("x",)}])
def test_conditions_without_meaning_are_refused(
    index: Index, labels: dict[str, LabelCondition]
) -> None:
    with pytest.raises(InvalidError, match="labels"):
        index.search_anomalies(AnomalyQuery(labels=labels), 10)


@pytest.mark.parametrize("cursor", ["", "x", "é", "W10", "WyJhbm9tYWxpZXMiLCJ4IiwieCJd", "e30"])
def test_cursors_of_nobody_are_refused(index: Index, cursor: str) -> None:
    with pytest.raises(InvalidError, match="cursor"):
        index.search_anomalies(AnomalyQuery(), 10, cursor)


def test_a_cursor_of_another_search_is_refused(index: Index) -> None:
    index.write_anomalies([new(anomaly(1)), new(anomaly(2))])
    index.refresh()
    cursor = index.search_anomalies(AnomalyQuery(), 1).cursor
    with pytest.raises(InvalidError, match="cursor"):
        index.series("s", cursor=cursor)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_page_has_at_least_one_document(index: Index, limit: int) -> None:
    with pytest.raises(InvalidError, match="limit"):
        index.search_anomalies(AnomalyQuery(), limit)


# Several processes


def _write(implementation: str, folder: Path, barrier: Barrier, generation: int) -> None:
    index = INDEXES[implementation](folder)
    barrier.wait(60)
    status: Literal["found", "withdrawn"] = "withdrawn" if generation == 2 else "found"
    for turn in range(20):
        index.write_anomalies(
            new(anomaly(turn * 100 + n, generation, status=status)) for n in range(100)
        )
        index.put_points([day(sequence=turn * 2 + generation, values=(float(turn),))])
        index.put_series([entry(sequence=turn, first_ms=turn, last_ms=turn + generation)])
    index.close()


def test_two_processes_write_one_index(implementation: str, tmp_path: Path) -> None:
    """They open it at once and write the same documents: the newer generation stays."""
    barrier = SPAWN.Barrier(2)
    processes = [
        SPAWN.Process(target=_write, args=(implementation, tmp_path, barrier, generation))
        for generation in (1, 2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    index = INDEXES[implementation](tmp_path)
    index.refresh()
    assert index.counts() == {"anomalies": 2_000, "points": 1, "bands": 0, "series": 1}
    page = index.search_anomalies(AnomalyQuery(source="s"), 2_000)
    assert {(each.generation, each.status) for each in page.items} == {(2, "withdrawn")}
    (points,) = index.points("s", ["q"], 0, 10**13)
    assert points.sequence == 40
    (catalog,) = index.series("s").items
    assert (catalog.first_ms, catalog.last_ms) == (0, 21)
    index.close()
