"""An index made again from an archive whose tables are a server's."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from service.database.sources import put_source
from service.rebuild.run import Rebuild
from storage.index import AnomalyQuery, Index
from storage.stores import Stores, open_index, open_stores
from tests.service.clocks import NOON
from tests.service.databases import opened
from tests.storage.hive_archive.shared import archive_settings
from tests.storage.hive_archive.warehouse import warehouse
from tests.storage.implementations import settings
from tests.workflows.publishing import DAY, SOURCE, START, House, flat, house_on, key

pytestmark = pytest.mark.real

JP, TW = key("ndcg", region="jp", model="it's"), key("ndcg", region="tw")


@pytest.fixture(params=[("hive", "external"), ("hive", "insert"), ("spark", "external")], ids=str)
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    engine, load = request.param
    (tmp_path / "scratch").mkdir()
    with warehouse(engine, tmp_path) as made:
        stored = archive_settings(made, settings(tmp_path), load)
        with open_stores(stored) as stores:
            yield house_on(stores, tmp_path)


def look(index: Index) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    page = index.search_anomalies(AnomalyQuery(), 1000)
    anomalies = [asdict(anomaly) for anomaly in page.items]
    bands = index.bands(SOURCE, [JP.id, TW.id], None)
    return anomalies, [asdict(band) for band in bands]


def test_runs_and_points_come_back_from_a_server(house: House, tmp_path: Path) -> None:
    house.put({**flat(JP, 30), **flat(TW, 30), (JP, START + 20 * DAY): 99.0})
    house.run(30)
    house.put({(JP, START + 20 * DAY): None, (TW, START + 7 * DAY): 42.5})
    house.run(30)
    before = look(house.stores.index)
    assert {a["status"] for a in before[0]} == {"found", "withdrawn"}
    assert len(before[1]) == 2

    fresh = replace(settings(tmp_path), index=f"sqlite:///{tmp_path}/fresh.db")
    with opened("sqlite", tmp_path) as database, closing(open_index(fresh)) as index:
        with database.write() as tx:
            put_source(tx, SOURCE, "managed", "UTC", {"kind": "managed"}, NOON)
        stores = Stores(house.stores.archive, index, house.stores.objects)
        for _ in range(2):
            counts = Rebuild(database, stores, lambda *_: None).run()[SOURCE]
        assert counts == {
            "anomalies": 2, "points": 60, "bands": 2, "series": 2, "verdicts": 0, "adopted": 0,
        }  # fmt: skip
        assert look(index) == before
        days = {
            (day.series, day.ts_ms[0]): (list(day.values), day.sequence)
            for day in index.points(SOURCE, [JP.id, TW.id], START, START + 30 * DAY)
        }
        assert len(days) == 60
        assert days[JP.id, START + 20 * DAY] == ([None], 2)
        assert days[TW.id, START + 7 * DAY] == ([42.5], 2)
        assert days[TW.id, START + 8 * DAY] == ([1.0], 1)
        entries = {entry.series: entry for entry in index.series(SOURCE).items}
        assert entries[JP.id].labels == {"region": "jp", "model": "it's"}
        assert [entries[TW.id].sequence, entries[TW.id].step_ms] == [2, DAY]
        assert entries[JP.id].sequence == 1, "a removed point teaches the catalog nothing"
