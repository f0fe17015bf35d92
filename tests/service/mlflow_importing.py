"""Imports in this process, into a service in this process; and what is stored afterwards."""

from typing import Any

from service.cli.client import Client
from service.clock import SystemClock
from service.mlflow.lupus import Lupus
from service.mlflow.mapping import Naming
from service.mlflow.run import Import, Wanted
from service.mlflow.server import open_server
from service.mlflow.tracking import Tracking
from tests.service.api.house import House

Stored = dict[str, dict[int, float]]


def imported(
    house: House,
    url: str,
    source: str,
    naming: Naming | None = None,
    release_to: tuple[str, ...] = (),
    per_page: int = 3,
    retry_seconds: float = 60.0,
    **wanted: Any,
) -> Import:
    """One import that is over."""
    client = Client(house.http)
    with open_server(url, 1000, retry_seconds) as server:
        one = Import(
            Tracking(server, per_page),
            Lupus(client, source),
            [Lupus(client, name) for name in release_to],
            Wanted(naming or Naming(source), SystemClock().now_ms(), **wanted),
        )
        one.run()
    return one


def stored(http: Any, source: str) -> Stored:
    """Every point of a source by series and time."""
    found: Stored = {}
    query: dict[str, Any] = {"source": source, "metric": "*", "start": "2000-01-01", "limit": 200}
    query |= {"end": "2100-01-01", "max_points": 100_000}
    while True:
        answer = http.get("/v1/points", params=query)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        for one in page["items"]:
            found[one["name"]] = dict(zip(one["times_ms"], one["values"], strict=True))
        if not page["cursor"]:
            return found
        query["cursor"] = page["cursor"]
