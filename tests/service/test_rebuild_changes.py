"""What a detector of changes said comes back with an index that is made again."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.database.sources import put_source
from service.rebuild.run import Rebuild
from storage.index import AnomalyQuery, Index
from storage.settings import StorageSettings
from storage.stores import Stores, open_index, open_stores
from tests.service.clocks import NOON
from tests.service.databases import opened
from tests.storage.elasticsearch.server import own_place
from tests.storage.hive_archive.shared import archive_settings
from tests.storage.hive_archive.warehouse import warehouse
from tests.storage.implementations import settings
from tests.workflows.publishing import DAY, SOURCE, START, THRESHOLD, House, house_on, key

JP = key("ndcg", region="jp")
ROWS, AT = 90, 70


@pytest.fixture(params=["embedded", pytest.param("servers", marks=pytest.mark.real)])
def places(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[StorageSettings, StorageSettings]]:
    """Settings of stores, and the same with an index that has nothing."""
    base = settings(tmp_path)
    (tmp_path / "scratch").mkdir()
    with ExitStack() as stack:
        if request.param == "embedded":
            yield base, replace(base, index=f"sqlite:///{tmp_path}/fresh.db")
            return
        stored = archive_settings(stack.enter_context(warehouse("hive", tmp_path)), base)
        first, second = (stack.enter_context(own_place()) for _ in range(2))
        yield (
            replace(stored, index=first.url, elasticsearch=first.settings),
            replace(stored, index=second.url, elasticsearch=second.settings),
        )


def tell(house: House) -> None:
    """A rise that one rule finds, and another rule that stops to look for changes."""
    values = np.random.default_rng(4).normal(50, 1, ROWS)
    values[AT:] += 6
    house.put({(JP, START + day * DAY): float(value) for day, value in enumerate(values)})
    asked: dict[str, Any] = {
        "start_ms": START + 62 * DAY, "detector": {"type": "trend_change"},
    }  # fmt: skip
    house.run(ROWS, **asked)
    house.run(ROWS, rule="other", **asked)
    house.run(ROWS, rule="other", **(asked | {"detector": THRESHOLD}))


def anomalies(index: Index) -> list[dict[str, Any]]:
    index.refresh()
    return [asdict(each) for each in index.search_anomalies(AnomalyQuery(), 1000).items]


def test_changes_come_back(places: tuple[StorageSettings, StorageSettings], tmp_path: Path) -> None:
    stored, fresh = places
    with open_stores(stored) as stores:
        tell(house_on(stores, tmp_path))
        before = anomalies(stores.index)
        said = {
            each["rule"]: each["change"] for each in before if each["ts_ms"] == START + AT * DAY
        }
        assert said["daily"]["kind"] == "level"
        assert said["other"] is None, "a threshold knows of none"
        with opened("sqlite", tmp_path) as database, closing(open_index(fresh)) as index:
            with database.write() as tx:
                put_source(tx, SOURCE, "managed", "UTC", {"kind": "managed"}, NOON)
            again = Stores(stores.archive, index, stores.objects)
            for _ in range(2):
                Rebuild(database, again, lambda *_: None).run()
                assert anomalies(index) == before
