"""The report of the same run on a real Elasticsearch: piece for piece that of SQLite."""

from pathlib import Path
from typing import Any

import pytest

from service.app import open_app
from service.worker.settings import WorkerSettings
from tests.service.api.house import House, daily, detection, settings_of
from tests.service.report.parsed import Parsed
from tests.storage.elasticsearch.server import own_place

_FAST = WorkerSettings(poll_ms=50, look_ms=100, first_backoff_ms=50)
SOURCE = "rep.real"
DAYS = {"start": "2026-07-17", "end": "2026-07-31"}


def _points() -> list[dict[str, Any]]:
    points = []
    for number in range(25):  # more than one page of them
        values = [0.4 + 0.004 * ((day + number) % 7) for day in range(60)]
        values[-1 - number % 10] += 0.1 + 0.01 * number
        points += daily(values, labels={"region": f"r{number:02}", "model": "ab"[number % 2]})
    return points + daily([0.4] * 40, labels={"region": "gone"})


def _pages(folder: Path, **index: Any) -> list[str]:
    """Both pages of the report, without what names the moment."""
    settings = settings_of(folder, processes=1, **index)
    with open_app(settings, pace=_FAST) as app:
        house = House(app)
        house.source(SOURCE, timezone="Asia/Tokyo")
        house.send(SOURCE, _points())
        run = house.call("POST", "/v1/detections", 202, json=_body())
        while run["state"] in ("queued", "running", "publishing"):
            run = house.call("GET", f"/v1/detections/{run['id']}", params={"wait": "60s"})
        pages = []
        for number in (1, 2):
            answer = house.http.get(f"/v1/detections/{run['id']}/report", params={"page": number})
            assert answer.status_code == 200, answer.text
            Parsed(answer.text)
            pages.append(answer.text.partition("<main>")[2].partition("<h2>About this run")[0])
        return pages


def _body() -> dict[str, Any]:
    return detection(SOURCE, range=DAYS, detector={"type": "window"})


@pytest.mark.real
def test_elasticsearch_gives_the_page_that_sqlite_gives(tmp_path: Path) -> None:
    with own_place() as place:
        there = _pages(
            tmp_path / "elasticsearch",
            index=place.url,
            index_prefix=place.settings.prefix,
            index_replicas=0,
        )
    here = _pages(tmp_path / "sqlite")
    assert "25 unusual points in 25 of 26 series" in here[0].replace("</b>", "")
    assert there == here
