"""A change that a detector found, on its way through the steps: results, index, archive, news."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from storage.archive import DOCUMENT_SCHEMA
from storage.index import AnomalyQuery
from tests.workflows.world import DAY, END, SOURCE, World, daily, key, points
from workflows.chunk import read_chunk
from workflows.detect import detect
from workflows.plan import plan
from workflows.publish import publish
from workflows.published import Piece, pieces
from workflows.report import read_changes
from workflows.told import read_anomaly

ROWS = 90
AT = 70  # of the rows: the first day of the higher level


def write_step(world: World) -> None:
    """One series whose level rose, and one in which nothing changed, with a tombstone."""
    noise = np.random.default_rng(4).normal(50, 1, (2, ROWS))
    noise[0, AT:] += 6
    calm = [*noise[1, :-3].tolist(), None, *noise[1, -2:].tolist()]
    for number, values in ((0, noise[0]), (1, calm)):
        table = points("ndcg", dict(key(number).labels), daily(ROWS), values)
        world.stores.archive.write_points(SOURCE, f"step-{number}", table)


def test_a_chunk_of_an_earlier_version_tells_no_change(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_step(world)
    context, asked = world.context(), world.ask(detector={"type": "trend_change"})
    plan(context, asked.run)
    detect(context, asked.run, 0)

    def without(path: Path) -> Iterator[Piece]:
        return (replace(each, rows=each.rows.drop_columns(["change"])) for each in pieces(path))

    monkeypatch.setattr("workflows.apply.pieces", without)
    publish(context, asked.run)
    rows = world.stores.archive.read_results(SOURCE, asked.rule or "", 0, END)
    assert len(rows) > 0
    assert rows["change"].null_count == len(rows)


def test_a_change_is_in_results_documents_and_news(world: World) -> None:
    write_step(world)
    context = world.context()
    asked = world.ask(detector={"type": "trend_change"}, start_ms=END - 28 * DAY)
    plan(context, asked.run)
    detect(context, asked.run, 0)
    found = read_chunk(world.stores.objects, asked.run, 0)
    assert found is not None
    results = pq.read_table(found[1].path(world.stores.objects, found[0].results))
    told = {row["ts"]: row["change"] for row in results.to_pylist() if row["change"]}
    date = END - (ROWS - AT) * DAY
    assert list(told) == [date], "the tombstone's row and all others say nothing"
    said = json.loads(told[date])
    assert said["kind"] == "level"
    assert 4 < said["size"] < 8
    assert 0.99 <= said["confidence"] <= 1
    assert said["earliest_ms"] <= date <= said["latest_ms"]

    report = publish(context, asked.run)
    assert report.counts["new"] == 1
    (news,) = read_changes(world.stores.objects, report)
    (document,) = world.stores.index.search_anomalies(AnomalyQuery(), 10).items
    assert news.change == document.change == said
    kept = [
        row["document"]
        for batch in world.stores.archive.documents(SOURCE, 0, END)
        for row in batch.to_pylist()
        if row["kind"] == "anomaly"
    ]
    assert "kind" in DOCUMENT_SCHEMA.names
    assert [read_anomaly(text).change for text in kept] == [said]
    rows = world.stores.archive.read_results(SOURCE, asked.rule or "", 0, END).to_pylist()
    assert {row["ts"]: json.loads(row["change"]) for row in rows if row["change"]} == {date: said}
