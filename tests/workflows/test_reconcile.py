"""What a run may change, rule by rule, and against a slow obvious version over dictionaries."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.result import Direction, Reason, Severity
from storage.index import Anomaly, StoredAnomaly
from storage.series_key import anomaly_id
from workflows.chunk import CHUNK_RESULT_SCHEMA
from workflows.episodes import Standing, episode_starts
from workflows.reconcile import (
    NORMAL,
    JudgedSeries,
    Reconciled,
    RunFacts,
    Verdicts,
    differs,
    reconcile,
)
from workflows.report import Change

DAY = 86_400_000
FIRST, END = 10, 16  # the range, in days

FACTS = RunFacts(
    run="run-2",
    generation=2,
    source="job.rank",
    rule="daily",
    detector="threshold",
    detector_hash="same",
    start_ms=FIRST * DAY,
    end_ms=END * DAY,
    written_at_ms=99 * DAY,
    managed=True,
)
SERIES = {
    0: JudgedSeries("a" * 32, "ndcg", {"region": "jp"}, DAY),
    3: JudgedSeries("b" * 32, "ndcg", {"region": "tw"}, DAY),
}
FLOATS = ("value", "expected", "lower", "upper", "score")


def row(day: int, number: int = 0, **changes: Any) -> dict[str, Any]:
    """A normal verdict."""
    return {
        "number": number,
        "ts": day * DAY,
        "value": 1.0,
        "expected": 2.0,
        "lower": 0.0,
        "upper": 4.0,
        "score": 0.5,
        "is_anomaly": False,
        "severity": Severity.NONE,
        "direction": Direction.NONE,
        "reason": Reason.OK,
        "tombstone": False,
        "change": None,
    } | changes


def flagged(day: int, number: int = 0, **changes: Any) -> dict[str, Any]:
    high = {"value": 9.0, "score": 3.5, "is_anomaly": True, "severity": Severity.CRITICAL}
    return row(day, number, **({**high, "direction": Direction.UP} | changes))


def no_data(day: int, number: int = 0, **changes: Any) -> dict[str, Any]:
    nothing = dict.fromkeys(FLOATS)
    return row(day, number, **(nothing | {"reason": Reason.NO_DATA} | changes))


def removed(day: int, number: int = 0) -> dict[str, Any]:
    return no_data(day, number, tombstone=True)


def known(day: int, number: int = 0, **changes: Any) -> StoredAnomaly:
    """What `flagged` of the same day became in an earlier run."""
    ts_ms = changes.pop("ts_ms", day * DAY)
    series = SERIES[number]
    anomaly = Anomaly(
        id=anomaly_id("job.rank", "daily", series.id, ts_ms),
        source="job.rank",
        rule="daily",
        series=series.id,
        metric=series.metric,
        labels=series.labels,
        ts_ms=ts_ms,
        value=9.0,
        expected=2.0,
        lower=0.0,
        upper=4.0,
        score=3.5,
        severity="critical",
        direction="up",
        reason="ok",
        status="found",
        cause=None,
        transition=1,
        episode_start_ms=ts_ms,
        detector="threshold",
        detector_hash="same",
        run="run-1",
        generation=1,
        written_at_ms=98 * DAY,
    )
    return StoredAnomaly(replace(anomaly, **changes), version=f"v{day}")


def rows_of(rows: Sequence[Mapping[str, Any]]) -> Verdicts:
    ordered = sorted(rows, key=lambda r: (r["number"], r["ts"]))
    columns = {
        name: [r[name] for r in ordered] if ordered else [] for name in CHUNK_RESULT_SCHEMA.names
    }
    return Verdicts.of(pa.table(columns, schema=CHUNK_RESULT_SCHEMA))


def run(
    rows: Sequence[Mapping[str, Any]], stored: Sequence[StoredAnomaly] = (), **facts: Any
) -> Reconciled:
    return reconcile(replace(FACTS, **facts), SERIES, rows_of(rows), stored)


def only(outcome: Reconciled) -> tuple[Anomaly, Change]:
    assert len(outcome.writes) == len(outcome.changes) == 1
    return outcome.writes[0].anomaly, outcome.changes[0]


def test_a_flagged_point_is_new() -> None:
    outcome = run([flagged(12)])
    anomaly, change = only(outcome)
    assert outcome.writes[0].version is None
    assert anomaly == replace(
        known(12).anomaly, run="run-2", generation=2, written_at_ms=FACTS.written_at_ms
    )
    assert (change.kind, change.cause, change.transition, change.previous) == ("new", None, 1, None)
    assert outcome.counts == {"new": 1}


def test_the_same_again_writes_nothing() -> None:
    outcome = run([flagged(12)], [known(12)])
    assert (outcome.writes, outcome.changes, outcome.counts) == ([], [], {"unchanged": 1})


@pytest.mark.parametrize("reason", NORMAL)
def test_a_normal_verdict_withdraws(reason: Reason) -> None:
    outcome = run([row(12, reason=reason)], [known(12)])
    anomaly, change = only(outcome)
    assert outcome.writes[0].version == "v12"
    assert (anomaly.status, anomaly.transition, anomaly.cause) == ("withdrawn", 2, "data")
    assert (anomaly.value, anomaly.score, anomaly.reason) == (1.0, 0.5, reason.name.lower())
    assert (anomaly.severity, anomaly.direction) == ("critical", "up")  # what was said
    assert change.kind == "withdrawn"
    assert change.previous is not None
    assert (change.previous["value"], change.previous["status"]) == (9.0, "found")
    assert outcome.counts == {"withdrawn": 1}
    assert outcome.causes == {"data": 1}


@pytest.mark.parametrize(
    "rows",
    [
        [],  # the series failed, vanished, or its chunk is missing
        [row(11), row(13)],  # no verdict for exactly that time
        [row(12, ts=12 * DAY + 1)],
        [no_data(12)],
        [row(12, reason=Reason.INSUFFICIENT_HISTORY)],
        [row(12, number=3)],  # another series
    ],
)
def test_what_was_not_judged_normal_is_left_as_it_was(rows: list[dict[str, Any]]) -> None:
    outcome = run(rows, [known(12)])
    assert (outcome.writes, outcome.changes, outcome.counts) == ([], [], {"unverified": 1})


def test_a_removed_point_is_withdrawn() -> None:
    anomaly, change = only(run([removed(12)], [known(12, detector_hash="other")]))
    assert (anomaly.status, anomaly.cause, anomaly.reason) == ("withdrawn", "data", "point_removed")
    assert {getattr(anomaly, name) for name in FLOATS} == {None}
    assert change.previous is not None
    assert change.previous["value"] == 9.0


def test_a_removal_is_data_even_where_a_missing_step_was_the_anomaly() -> None:
    nothing: dict[str, Any] = dict.fromkeys(FLOATS)
    missing = known(12, **nothing, reason="no_data", detector_hash="other")
    _, change = only(run([removed(12)], [missing]))
    assert (change.kind, change.cause) == ("withdrawn", "data")


def test_an_external_table_has_no_tombstones() -> None:
    outcome = run([removed(12)], [known(12)], managed=False)
    assert outcome.counts == {"unverified": 1}


@pytest.mark.parametrize(
    ("old", "new", "cause"),
    [
        ({}, {"expected": 2.5}, "baseline"),
        ({"detector_hash": "other"}, {"expected": 2.5}, "rule"),
        ({}, {"value": 9.5, "expected": 2.5}, "data"),
        ({"detector_hash": "other"}, {"value": 9.5}, "data"),
        ({"value": None}, {}, "data"),  # data came where there was none
    ],
)
def test_the_first_cause_that_applies_is_given(
    old: dict[str, Any], new: dict[str, Any], cause: str
) -> None:
    anomaly, change = only(run([flagged(12, **new)], [known(12, **old)]))
    assert (change.kind, change.cause, anomaly.cause) == ("changed", cause, cause)
    normal = row(12, value=new.get("value", 9.0))
    anomaly, change = only(run([normal], [known(12, **old)]))
    assert (change.kind, change.cause, anomaly.cause) == ("withdrawn", cause, cause)
    again = known(12, **old, status="withdrawn", transition=2)
    anomaly, change = only(run([flagged(12, **new)], [again]))
    assert (change.kind, change.cause, anomaly.cause) == ("new", cause, cause)


def test_causes_count_what_changed_and_what_was_withdrawn() -> None:
    stored = [known(day) for day in (11, 12, 13)] + [known(14, status="withdrawn")]
    rows = [flagged(11, value=8.0), row(12), row(13, value=9.0), flagged(14, value=8.0)]
    outcome = run(rows, stored)
    assert outcome.causes == {"data": 2, "baseline": 1}
    assert outcome.counts == {"changed": 1, "withdrawn": 2, "new": 1}


@pytest.mark.parametrize("name", FLOATS)
def test_changed_needs_more_than_arithmetic(name: str) -> None:
    def now(number: float | None) -> Reconciled:
        changes: dict[str, Any] = {"lower": 0.5, name: number}
        return run([flagged(12, **changes)], [known(12, lower=0.5)])

    value = {"value": 9.0, "expected": 2.0, "lower": 0.5, "upper": 4.0, "score": 3.5}[name]
    near = now(value * (1 + 5e-10))
    assert (near.writes, near.counts) == ([], {"unchanged": 1})
    far = now(value * (1 - 2e-9))
    assert far.counts == {"changed": 1}
    assert far.changes[0].transition == 1  # it stands as before: no new transition
    assert now(None).counts == {"changed": 1}


def test_another_severity_is_a_change() -> None:
    _, change = only(run([flagged(12, severity=Severity.MAJOR)], [known(12)]))
    assert (change.kind, change.cause, change.severity) == ("changed", "baseline", "major")


def test_other_parameters_with_the_same_verdict_are_noted_in_silence() -> None:
    outcome = run([flagged(12)], [known(12, detector_hash="other", verdict="false")])
    assert (outcome.changes, outcome.counts) == ([], {"unchanged": 1})
    (write,) = outcome.writes
    assert write.anomaly.detector_hash == "same"
    # A later change of the baseline is then not blamed on the parameters.
    assert run([flagged(12)], [StoredAnomaly(write.anomaly, "v")]).writes == []


def test_found_again_is_a_new_transition() -> None:
    first = run([flagged(12)])
    stored = StoredAnomaly(first.writes[0].anomaly, "1")
    seen = [first.changes[0].transition]
    for rows in ([row(12)], [flagged(12)], [row(12)], [flagged(12)]):
        outcome = run(rows, [stored])
        anomaly, change = only(outcome)
        seen.append(change.transition)
        stored = StoredAnomaly(anomaly, "1")
        again = run(rows, [stored])
        assert again.writes == []
    assert seen == [1, 2, 3, 4, 5]
    assert stored.anomaly.status == "found"


def test_the_value_at_withdrawal_decides_the_next_cause() -> None:
    stored = StoredAnomaly(run([row(12)], [known(12)]).writes[0].anomaly, "1")
    _, change = only(run([flagged(12)], [stored]))
    assert change.cause == "data"  # 9 was found, 1 withdrawn, 9 came back


def test_a_missing_step_can_be_an_anomaly_and_data_withdraws_it() -> None:
    missing = no_data(12, is_anomaly=True, severity=Severity.WARNING)
    anomaly, change = only(run([missing]))
    assert (change.kind, anomaly.severity, anomaly.reason) == ("new", "warning", "no_data")
    assert (anomaly.value, anomaly.score, anomaly.direction) == (None, None, "none")
    late, change = only(run([row(12)], [StoredAnomaly(anomaly, "1")]))
    assert (late.status, change.cause) == ("withdrawn", "data")


def test_what_lies_outside_of_the_range_is_never_written() -> None:
    stored = [known(9), known(16), known(9, number=3, status="withdrawn")]
    outcome = run([row(day) for day in range(FIRST, END)], stored)
    assert (outcome.writes, outcome.counts) == ([], {})


class TestEpisodes:
    def starts(self, outcome: Reconciled) -> dict[int, int]:
        return {
            write.anomaly.ts_ms // DAY: write.anomaly.episode_start_ms // DAY
            for write in outcome.writes
        }

    def test_adjacent_anomalies_on_one_side_are_one_episode(self) -> None:
        rows = [flagged(10), flagged(11), row(12), flagged(13), flagged(14), row(15)]
        assert self.starts(run(rows)) == {10: 10, 11: 10, 13: 13, 14: 13}

    def test_the_other_side_begins_another_episode(self) -> None:
        rows = [flagged(10), flagged(11, direction=Direction.DOWN), flagged(12)]
        assert self.starts(run(rows)) == {10: 10, 11: 11, 12: 12}

    def test_an_episode_goes_on_across_the_start_of_the_range(self) -> None:
        before = [known(8), known(9, episode_start_ms=7 * DAY)]
        assert self.starts(run([flagged(10), flagged(11)], before)) == {10: 7, 11: 7}

    @pytest.mark.parametrize(
        "before",
        [
            known(9, status="withdrawn", episode_start_ms=7 * DAY),
            known(9, direction="down", episode_start_ms=7 * DAY),
            known(8, episode_start_ms=7 * DAY),
            known(9, number=3, episode_start_ms=7 * DAY),
        ],
    )
    def test_only_what_stands_right_before_on_the_same_side_goes_on(
        self, before: StoredAnomaly
    ) -> None:
        assert self.starts(run([flagged(10)], [before])) == {10: 10}

    def test_a_point_found_in_the_middle_joins_two_episodes(self) -> None:
        rows = [flagged(10), flagged(11), flagged(12)]
        outcome = run(rows, [known(10), known(12)])
        assert self.starts(outcome) == {11: 10, 12: 10}
        assert outcome.counts == {"new": 1, "unchanged": 2}
        assert [change.kind for change in outcome.changes] == ["new"]

    def test_a_point_withdrawn_in_the_middle_parts_an_episode(self) -> None:
        stored = [known(day, episode_start_ms=10 * DAY) for day in (10, 11, 12)]
        outcome = run([flagged(10), row(11), flagged(12)], stored)
        assert self.starts(outcome) == {11: 10, 12: 12}
        assert outcome.counts == {"withdrawn": 1, "unchanged": 2}
        assert [change.kind for change in outcome.changes] == ["withdrawn"]

    def test_what_stands_unverified_still_belongs_to_its_episode(self) -> None:
        outcome = run([flagged(10), no_data(11), flagged(12)], [known(11)])
        assert self.starts(outcome) == {10: 10, 11: 10, 12: 10}
        assert outcome.counts == {"new": 2, "unverified": 1}

    def test_a_step_is_late_by_half_at_most(self) -> None:
        found = [(0, "up"), (3, "up"), (6, "up"), (10, "up")]
        assert episode_starts(found, 2, None) == [0, 0, 0, 10]
        assert episode_starts(found, None, Standing(0, "up", 0)) == [0, 3, 6, 10]


@pytest.mark.parametrize(
    ("a", "b", "apart"),
    [
        (None, None, False),
        (None, 0.0, True),
        (0.0, 0.0, False),
        (0.0, 1e-300, True),
        (1e9, 1e9 + 0.5, False),
        (1e9, 1e9 + 2, True),
        (-1.0, 1.0, True),
    ],
)
def test_two_numbers_differ_beyond_a_billionth(
    a: float | None, b: float | None, apart: bool
) -> None:
    assert differs(a, b) is differs(b, a) is apart


# The slow obvious version.


@dataclass(frozen=True)
class Expected:
    documents: dict[tuple[str, int], dict[str, Any]]
    kinds: dict[tuple[str, int], str]
    counts: Counter[str]


def oracle(
    rows: Sequence[Mapping[str, Any]], stored: Sequence[StoredAnomaly], facts: RunFacts
) -> Expected:
    verdict = {(SERIES[r["number"]].id, r["ts"]): r for r in rows}
    documents = {(s.anomaly.series, s.anomaly.ts_ms): vars(s.anomaly).copy() for s in stored}
    kinds: dict[tuple[str, int], str] = {}
    counts: Counter[str] = Counter()
    for place in sorted(verdict.keys() | documents.keys()):
        if not facts.start_ms <= place[1] < facts.end_ms:
            continue
        old, new = documents.get(place), verdict.get(place)
        was_found = old is not None and old["status"] == "found"
        if new is not None and new["is_anomaly"]:
            says = said(new)
            if old is None:
                kinds[place] = "new"
                documents[place] = {
                    **says, "status": "found", "cause": None, "transition": 1,
                    "detector_hash": "same",
                }  # fmt: skip
            elif not was_found or any(apart(old[n], says[n]) for n in (*FLOATS, "severity")):
                kinds[place] = "changed" if was_found else "new"
                documents[place] = {
                    **old, **says, "status": "found", "cause": why(old, says),
                    "transition": old["transition"] + (not was_found), "detector_hash": "same",
                }  # fmt: skip
            else:
                counts["unchanged"] += 1
                for name in ("reason", "direction"):
                    old[name] = says[name]
                old["detector_hash"] = "same"
        elif old is not None and was_found:
            gone = new is not None and new["tombstone"] and facts.managed
            if gone or (new is not None and new["reason"] in NORMAL):
                assert new is not None
                says = {n: new[n] for n in FLOATS}
                kinds[place] = "withdrawn"
                documents[place] = {
                    **old, **says, "status": "withdrawn", "transition": old["transition"] + 1,
                    "cause": "data" if gone else why(old, says), "detector_hash": "same",
                    "reason": "point_removed" if gone else new["reason"].name.lower(),
                }  # fmt: skip
            else:
                counts["unverified"] += 1
    counts.update(kinds.values())
    draw_episodes(documents, facts)
    return Expected(documents, kinds, counts)


def said(new: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **{n: new[n] for n in FLOATS},
        "severity": new["severity"].name.lower(),
        "direction": new["direction"].name.lower(),
        "reason": new["reason"].name.lower(),
    }


def apart(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return abs(a - b) > 1e-9 * max(abs(a), abs(b))
    return bool(a != b)


def why(old: Mapping[str, Any], says: Mapping[str, Any]) -> str:
    if apart(old["value"], says["value"]):
        return "data"
    return "rule" if old["detector_hash"] != "same" else "baseline"


def draw_episodes(documents: dict[tuple[str, int], dict[str, Any]], facts: RunFacts) -> None:
    for series, ts_ms in sorted(documents):
        me = documents[series, ts_ms]
        if me["status"] != "found" or not facts.start_ms <= ts_ms < facts.end_ms:
            continue
        me["episode_start_ms"] = ts_ms
        earlier = [t for s, t in documents if s == series and t < ts_ms]
        standing = [t for t in earlier if documents[series, t]["status"] == "found"]
        if standing and ts_ms - max(standing) <= 1.5 * DAY:
            last = documents[series, max(standing)]
            if last["direction"] == me["direction"]:
                me["episode_start_ms"] = last["episode_start_ms"]


SHOWN = (
    *FLOATS, "severity", "direction", "reason", "status", "cause", "transition",
    "episode_start_ms", "detector_hash",
)  # fmt: skip

VALUES = (9.0, 9.0 * (1 + 1e-12), 5.0)

# What one slot of the results, and what one document of the index may be; drawn by number, which
# is much cheaper than drawing each field.
ROWS: list[dict[str, Any]] = [
    *(
        {"reason": reason, "value": value}
        for reason, value in product([*NORMAL, Reason.INSUFFICIENT_HISTORY], VALUES)
    ),
    *(
        {
            "is_anomaly": True,
            "value": value,
            "score": 3.5,
            "severity": severity,
            "direction": direction,
        }
        for value, severity, direction in product(
            VALUES, [Severity.MAJOR, Severity.CRITICAL], [Direction.UP, Direction.DOWN]
        )
    ),
    *[
        dict.fromkeys(FLOATS) | {"reason": Reason.NO_DATA} | how
        for how in ({}, {"is_anomaly": True, "severity": Severity.WARNING}, {"tombstone": True})
    ]
    * 3,
]
KNOWN = list(
    product(
        (0, 0, 0, 1),  # quarters of a day late
        VALUES,
        ("major", "critical"),
        ("up", "down"),
        ("found", "found", "withdrawn"),
        (1, 2, 3),
        ("same", "other"),
        (True, False),  # whether its episode began before the range
    )
)
DAYS = range(FIRST - 2, END + 1)


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[StoredAnomaly]]:
    rows, stored = [], []
    for number in SERIES:
        failed = draw(st.sampled_from([False, False, False, True]))
        chosen = draw(st.lists(st.sampled_from(ROWS), min_size=END - FIRST, max_size=END - FIRST))
        if not failed:
            rows += [row(day, number, **one) for day, one in enumerate(chosen, FIRST)]
        said = st.none() | st.sampled_from(KNOWN)
        documents = draw(st.lists(said, min_size=len(DAYS), max_size=len(DAYS)))
        for day, one in zip(DAYS, documents, strict=True):
            if one is not None:
                late, value, severity, direction, status, transition, hash_, long = one
                stored.append(
                    known(
                        day,
                        number,
                        ts_ms=day * DAY + late * DAY // 4,
                        value=value,
                        severity=severity,
                        direction=direction,
                        status=status,
                        transition=transition,
                        detector_hash=hash_,
                        episode_start_ms=(7 if long else day) * DAY,
                    )
                )
    return rows, stored


@settings(max_examples=150, derandomize=True, deadline=None)
@given(case=cases(), managed=st.booleans())
def test_it_says_what_the_obvious_version_says(
    case: tuple[list[dict[str, Any]], list[StoredAnomaly]], managed: bool
) -> None:
    rows, stored = case
    facts = replace(FACTS, managed=managed)
    expected = oracle(rows, stored, facts)
    outcome = reconcile(facts, SERIES, rows_of(rows), stored)

    after = {(s.anomaly.series, s.anomaly.ts_ms): s.anomaly for s in stored}
    versions = {(s.anomaly.series, s.anomaly.ts_ms): s.version for s in stored}
    for write in outcome.writes:
        place = (write.anomaly.series, write.anomaly.ts_ms)
        assert write.version == versions.get(place)
        assert (write.anomaly.run, write.anomaly.generation) == (facts.run, facts.generation)
        after[place] = write.anomaly
    assert after.keys() == expected.documents.keys()
    for place, anomaly in after.items():
        shown = {name: getattr(anomaly, name) for name in SHOWN}
        assert shown == {name: expected.documents[place][name] for name in SHOWN}, place
    assert {(c.series, c.ts_ms): c.kind for c in outcome.changes} == expected.kinds
    assert +outcome.counts == +expected.counts

    again = [StoredAnomaly(anomaly, "v") for anomaly in after.values()]
    second = reconcile(replace(facts, run="run-3"), SERIES, rows_of(rows), again)
    assert (second.writes, second.changes) == ([], [])


DATES = {"earliest_ms": 11 * DAY, "latest_ms": 13 * DAY}
CHANGE = {"kind": "level", "size": 2.5, "confidence": 0.99, **DATES}


def test_a_change_goes_into_the_document_and_into_what_people_are_told() -> None:
    rows = rows_of([flagged(12, change=json.dumps(CHANGE)), row(13)])
    outcome = reconcile(FACTS, SERIES, rows, [])
    assert [write.anomaly.change for write in outcome.writes] == [CHANGE]
    assert [change.change for change in outcome.changes] == [CHANGE]
    (write,) = outcome.writes
    again = reconcile(FACTS, SERIES, rows, [StoredAnomaly(write.anomaly, "1")])
    assert again.writes == []
    gone = reconcile(FACTS, SERIES, rows_of([row(12)]), [StoredAnomaly(write.anomaly, "1")])
    assert [change.change for change in gone.changes] == [CHANGE], "what is withdrawn"


def test_results_of_an_older_version_have_no_change() -> None:
    columns = [name for name in CHUNK_RESULT_SCHEMA.names if name != "change"]
    older = pa.Table.from_pylist([flagged(12)], schema=CHUNK_RESULT_SCHEMA).select(columns)
    (write,) = reconcile(FACTS, SERIES, Verdicts.of(older), []).writes
    assert write.anomaly.change is None
