"""Episodes: one row for anomalies that follow one another."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from service.api import episodes
from storage.index import AnomalyWrite
from storage.series_key import anomaly_id
from tests.service.api.house import DAY_MS, FIRST_MS, House


def put(house: House, source: str, rule: str, days: Sequence[int], start: int, **more: Any) -> None:
    """Anomalies on some days, all of the episode that began on the day ``start``."""
    template = house.resources.stores.index.anomaly(house.anomaly(source))
    assert template is not None
    writes = [
        replace(
            template,
            id=anomaly_id(source, rule, "0" * 32, FIRST_MS + day * DAY_MS),
            rule=rule,
            ts_ms=FIRST_MS + day * DAY_MS,
            episode_start_ms=FIRST_MS + start * DAY_MS,
            score=2.0 + day % 3,
            severity="critical" if day % 3 == 2 else "warning",
            **more,
        )
        for day in days
    ]
    house.resources.stores.index.write_anomalies([AnomalyWrite(one, None) for one in writes])
    house.resources.stores.index.refresh()


@pytest.fixture(scope="module")
def source(idle: House) -> str:
    name = idle.source("episodes.shop")
    put(idle, name, "drops", (1, 2, 3), 1)
    put(idle, name, "drops", (6,), 6)
    put(idle, name, "drops", (8, 9), 8, direction="up")
    put(idle, name, "other", (2,), 2)
    put(idle, name, "other", (4,), 4, status="withdrawn")
    return name


def found(house: House, source: str, **asked: Any) -> list[dict[str, Any]]:
    answer = house.call("GET", "/v1/episodes", params={"source": source, **asked})
    return list(answer["items"])


def test_adjacent_anomalies_are_one_row_newest_first(idle: House, source: str) -> None:
    rows = found(idle, source, rule="drops")
    assert [(one["start"][:10], one["end"][:10], one["points"]) for one in rows] == [
        ("2026-06-09", "2026-06-10", 2),
        ("2026-06-07", "2026-06-07", 1),
        ("2026-06-02", "2026-06-04", 3),
    ]
    assert [one["direction"] for one in rows] == ["up", "down", "down"]
    longest = rows[-1]
    assert longest["severity"] == "critical"
    assert (longest["peak"][:10], longest["peak_score"]) == ("2026-06-03", 4.0)
    peak = idle.call("GET", f"/v1/anomalies/{longest['anomaly']}")
    assert (peak["time"], peak["name"]) == (longest["peak"], longest["name"])


def test_what_was_withdrawn_is_no_episode_unless_asked_for(idle: House, source: str) -> None:
    assert len(found(idle, source, rule="other")) == 1
    (gone,) = found(idle, source, rule="other", status="withdrawn")
    assert gone["start"] == "2026-06-05T00:00:00Z"


def test_a_search_counts_what_it_matches_and_keeps_the_start(idle: House, source: str) -> None:
    (cut,) = found(idle, source, rule="drops", start="2026-06-03", end="2026-06-04")
    assert (cut["start"][:10], cut["end"][:10], cut["points"]) == ("2026-06-02", "2026-06-03", 1)
    assert len(found(idle, source, min_severity="critical")) == 3


def test_pages_give_each_episode_once(idle: House, source: str) -> None:
    seen, cursor = [], None
    while True:
        asked = {"source": source, "limit": 2, **({"cursor": cursor} if cursor else {})}
        page = idle.call("GET", "/v1/episodes", params=asked)
        assert len(page["items"]) <= 2
        seen += [(one["rule"], one["start"]) for one in page["items"]]
        cursor = page["cursor"]
        if cursor is None:
            break
    whole = found(idle, source)
    assert seen == [(one["rule"], one["start"]) for one in whole]
    assert len(seen) == len(set(seen)) == len(whole) == 5


def test_too_many_anomalies_are_refused_with_what_helps(
    idle: House, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(episodes, "MOST_ANOMALIES", 3)
    answer = idle.call("GET", "/v1/episodes", 422, params={"source": source})
    assert "narrow start and end" in answer["errors"][0]["detail"]


def test_others_see_no_episode_of_it(idle: House, source: str) -> None:
    other = idle.client(idle.token(["elsewhere"], ["read"]))
    assert other.get("/v1/episodes").json()["items"] == []
    assert other.get("/v1/episodes", params={"source": source}).status_code == 404
