"""Who is who: names, and ids that are the same on every machine."""

import unicodedata
from pathlib import Path
from typing import Any

from tests.service.api.house import House, daily
from tests.workflows.publishing import START, flat, house_at, key
from workflows.report import Change

COMPOSED = "caf\u00e9"
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)


def test_spellings_of_a_metric_and_its_labels_are_one_series(idle: House) -> None:
    source = idle.source("ide.spelling")
    for metric, labels in (
        (COMPOSED, {"region": COMPOSED, "model": "a"}),
        (DECOMPOSED, {"model": "a", "region": DECOMPOSED}),
        (COMPOSED, {"model": "a", "region": COMPOSED, "tier": ""}),
    ):
        idle.send(source, daily([1.0], metric, labels))
    found = idle.call("GET", f"/v1/sources/{source}/series")["items"]
    assert [one["name"] for one in found] == [f'{COMPOSED}{{model="a",region="{COMPOSED}"}}']


def test_everything_that_a_run_writes_has_the_same_id_elsewhere(tmp_path: Path) -> None:
    written: list[list[Any]] = []
    for name in ("here", "there"):
        with house_at(tmp_path / name) as house:
            series = key("ndcg", region="jp")
            house.put(flat(series, 5) | {(series, START): 50.0})
            changes: list[Change] = house.changes(house.run(5))
            bands = list(house.stores.index.bands(series.source, [series.id], "daily"))
            documents = [one.id for one in house.anomalies().values()]
            written.append([changes, documents, bands])
    assert written[0] == written[1]
    assert len(written[0][1]) == 1
