"""The order of series, and what they have in common."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from service.report.anomalies import read_ranking
from service.report.rank import rank_series
from service.report.shares import shares
from storage.index import Anomaly, AnomalyWrite
from storage.settings import StorageSettings
from storage.stores import open_stores
from tests.service.report.samples import Names, anomaly, many, request


def of(series: str, **more: Any) -> Anomaly:
    return anomaly(1, series=series, **more)


def test_what_is_worse_comes_first_and_what_is_settled_last() -> None:
    found = [
        of("gone", status="withdrawn", score=99.0),
        of("settled", severity="critical", verdict="false"),
        of("warning", severity="warning", score=50.0),
        of("major", severity="major", score=2.5),
        of("worst", severity="critical", score=9.0),
        of("critical", severity="critical", score=4.0),
    ]
    ranking = rank_series(found)
    names = [one.id for one in ranking.series]
    assert names == ["worst", "critical", "major", "warning", "settled", "gone"]
    assert ranking.severities == {"critical": 3, "major": 1, "warning": 1}
    assert (ranking.found, ranking.withdrawn, len(ranking.standing)) == (5, 1, 5)


def test_of_too_many_the_critical_ones_are_read_to_the_end(tmp_path: Path) -> None:
    mild = [replace(one, severity="warning", rule="r") for one in many(300)]
    bad = [
        replace(one, severity="critical", rule="r", id=f"c{one.ts_ms}", series="bad")
        for one in many(50)
    ]
    asked = request(Names(rule="r"), labels={})
    settings = StorageSettings(
        archive=f"file://{tmp_path}/a",
        index=f"sqlite:///{tmp_path}/i.db",
        objects=f"file://{tmp_path}/o",
    )
    with open_stores(settings) as stores:
        stores.index.write_anomalies(AnomalyWrite(one, None) for one in (*mild, *bad))
        whole = read_ranking(stores.index, asked)
        assert whole.complete
        assert whole.severities == {"warning": 300, "critical": 50}
        some = read_ranking(stores.index, asked, most=60)
        assert not some.complete
        assert some.severities["critical"] == 50
        assert some.series[0].id == "bad"
        other = replace(asked, metrics=("another",))
        assert not read_ranking(stores.index, other).series, "a rule's other metrics are not shown"


def test_a_label_that_stands_out_is_named() -> None:
    everything = [{"region": f"r{n % 10}", "model": f"m{n % 3}", "team": "rec"} for n in range(300)]
    counted = Counter(pair for one in everything for pair in one.items())
    abnormal = [one for one in everything if one["region"] == "r4"] + everything[:4]
    found = shares(abnormal, len(everything), counted)
    assert [(one.label, one.value, one.abnormal, one.total) for one in found] == [
        ("region", "r4", 30, 30)
    ]
    assert all(one.label != "team" for one in found), "what all have explains nothing"


def test_chance_is_no_explanation() -> None:
    everything = [{"region": f"r{n % 10}"} for n in range(100)]
    counted = Counter(pair for one in everything for pair in one.items())
    assert not shares(everything[:20], 100, counted)
    assert not shares(everything[:2], 100, counted)


def test_without_totals_only_what_most_have_is_named() -> None:
    abnormal = [{"region": "jp"}] * 5 + [{"region": "tw"}] * 3
    found = shares(abnormal, 0, Counter())
    assert [(one.value, one.abnormal, one.total) for one in found] == [("jp", 5, None)]
