"""Every route with a request that is right, and what a caller needs for it."""

from dataclasses import dataclass, replace
from typing import Any

import httpx2

from service.auth.caller import Verb
from service.database.deliveries import insert_delivery, update_delivery
from tests.service.api.house import House, daily, detection

CHANNEL = "acc-hook"
EVENT = {"name": "ranker/v10", "time": "2026-07-16"}
HOOK = {"kind": "webhook", "url": "http://127.0.0.1:9/hook"}


@dataclass(frozen=True)
class Row:
    """A route and the verb that it needs: on one source, or on all of them."""

    method: str
    path: str
    verb: Verb | None
    scope: str = "source"  # source | all | any (answers everybody, with what they may see)
    json: Any = None
    fine: int = 200


ROWS = (
    Row("GET", "/v1/detections", "read", "any"),
    Row("POST", "/v1/detections", "detect", json=detection("{source}"), fine=202),
    Row("GET", "/v1/detections/{detection}", "read"),
    Row("GET", "/v1/detections/{detection}/series", "read"),
    Row("GET", "/v1/detections/{detection}/failures", "read"),
    Row("GET", "/v1/detections/{detection}/report", "read"),
    # A run that waits has nothing to explain: whoever is granted hears that.
    Row("GET", "/v1/detections/{detection}/explain?series=a&time=2026-10-08", "read", fine=409),
    Row("POST", "/v1/detections/{detection}/rerun", "detect", fine=202),
    Row("POST", "/v1/detections/{detection}/cancel", "detect", fine=202),
    Row("GET", "/v1/anomalies", "read", "any"),
    Row("GET", "/v1/anomalies/{anomaly}", "read"),
    Row("GET", "/v1/episodes", "read", "any"),
    Row("PATCH", "/v1/anomalies/{anomaly}", "manage", json={"verdict": "false"}),
    Row("GET", "/v1/sources", "read", "any"),
    Row("PUT", "/v1/sources/{source}", "manage", json={"kind": "managed"}),
    Row("GET", "/v1/sources/{source}", "read"),
    Row("DELETE", "/v1/sources/{source}?dry_run=true", "manage"),
    Row("GET", "/v1/sources/{source}/metrics", "read"),
    Row("GET", "/v1/sources/{source}/series", "read"),
    Row("POST", "/v1/sources/{source}/points", "ingest", json={"points": daily([1.0])}),
    Row("PUT", "/v1/sources/{source}/metrics/job/{grouping:path}", "ingest"),
    Row("POST", "/v1/sources/{source}/metrics/job/{grouping:path}", "ingest"),
    Row("DELETE", "/v1/sources/{source}/metrics/job/{grouping:path}", "ingest", fine=202),
    # An empty body of no type: whoever is granted hears that.
    Row("POST", "/v1/sources/{source}/prometheus/write", "ingest", fine=415),
    Row("GET", "/v1/sources/{source}/events", "read"),
    Row("POST", "/v1/sources/{source}/events", "ingest", json=EVENT),
    Row("DELETE", "/v1/sources/{source}/events/{name:path}", "ingest", fine=204),
    Row(
        "POST",
        "/v1/sources/{source}/pipelines",
        "ingest",
        json={"pipeline": "nightly", "run": "1", "state": "started"},
    ),
    # Objects in a folder take no uploads: whoever is granted hears that.
    Row(
        "POST",
        "/v1/sources/{source}/uploads",
        "ingest",
        json={"content_type": "text/csv"},
        fine=409,
    ),
    Row("GET", "/v1/points?source={source}&metric=*", "read"),
    Row("GET", "/v1/detectors", None, "any"),
    Row("GET", "/v1/detectors/{detector}", None, "any"),
    Row("GET", "/v1/channels", "read", "any"),
    Row("GET", "/v1/channels/{channel}", "read", "any"),
    Row(
        "PUT",
        "/v1/channels/{channel}",
        "manage",
        "all",
        json={"kind": "webhook", "url": "http://127.0.0.1:9/hook"},
    ),
    Row("POST", "/v1/channels/{channel}/test", "manage", "all"),
    Row("DELETE", "/v1/channels/{channel}", "manage", "all", fine=204),
    Row("GET", "/v1/deliveries", "read", "any"),
    Row("GET", "/v1/deliveries/{delivery}", "read"),
    Row("POST", "/v1/deliveries/{delivery}/replay", "manage", fine=202),
    Row("POST", "/v1/deliveries/replay", "manage", "any", json={"channel": CHANNEL}, fine=202),
    Row("GET", "/v1/ingests/{ingest}", "read"),
    Row("GET", "/v1/ingests/{ingest}/failures", "read"),
    Row(
        "POST",
        "/v1/tokens",
        "manage",
        "all",
        json={"name": "t", "sources": ["a"], "verbs": ["read"]},
        fine=201,
    ),
    Row("GET", "/v1/tokens", "manage", "all"),
    Row("GET", "/v1/tokens/{token}", "manage", "all"),
    Row("PATCH", "/v1/tokens/{token}", "manage", "all", json={"name": "u"}),
    Row("POST", "/v1/tokens/{token}/rotate", "manage", "all"),
    Row("DELETE", "/v1/tokens/{token}", "manage", "all", fine=204),
    Row("GET", "/v1/audit", "manage", "all"),
    Row("GET", "/v1/me", None, "any"),
    Row("GET", "/metrics", "read", "all"),
)


class Grouping(str):
    """A part of a path with slashes, which a template names with its type."""

    def __format__(self, _: str) -> str:
        return str(self)


GROUPING = Grouping("nightly/instance/a")
OPEN = {("GET", "/livez"), ("GET", "/readyz")}


def objects_of(house: House, source: str) -> dict[str, str]:
    """One of each kind of object of a new source, by the name that a path has for it."""
    house.source(source)
    ingest = house.send(source, daily([0.4, 0.5]))
    run = house.call("POST", "/v1/detections", 202, json=detection(source))
    return {
        "source": source,
        "detection": run["id"],
        "ingest": ingest["id"],
        "detector": "window",
        "channel": CHANNEL,
        "anomaly": house.anomaly(source),
        "delivery": f"msg_{source}",
        "grouping": GROUPING,
        "name": Grouping(EVENT["name"]),
    }


def missing_objects() -> dict[str, str]:
    """Ids that could be there and are not."""
    id_ = "01KABCDEFGHJKMNPQRSTVWXYZ0"
    return {
        "source": "acc.missing",
        "detection": id_,
        "ingest": id_,
        "detector": "window",
        "channel": CHANNEL,
        "anomaly": "f" * 32,
        "delivery": "msg_acc.missing",
        "grouping": GROUPING,
        "name": Grouping(EVENT["name"]),
    }


def prepare(house: House, row: Row, ids: dict[str, str]) -> tuple[str, Any]:
    """Path and body of the row's request, with its objects as nobody has changed them yet."""
    ids = dict(ids)
    if "{channel}" in row.path:
        house.http.put(f"/v1/channels/{CHANNEL}", json=HOOK)
    if "/deliveries/" in row.path and ids["source"] != "acc.missing":
        state = "sent" if "{delivery}" in row.path else "dead"  # those are sent again together
        with house.resources.database.write() as tx:
            if not update_delivery(tx, ids["delivery"], state=state):
                insert_delivery(tx, replace(house.delivery(ids["source"]), state=state))
    if "/events" in row.path and ids["source"] != "acc.missing":
        house.http.post(f"/v1/sources/{ids['source']}/events", json=EVENT)
    if "{token}" in row.path:
        given = {"name": "t", "sources": ["a"], "verbs": ["read"]}
        ids["token"] = house.call("POST", "/v1/tokens", 201, json=given)["id"]
    body = row.json
    if isinstance(body, dict) and body.get("source") == "{source}":
        body = {**body, "source": ids["source"]}
    return row.path.format(**ids), body


def ask(house: House, client: httpx2.Client, row: Row, ids: dict[str, str]) -> httpx2.Response:
    """The answer to the row's request."""
    path, body = prepare(house, row, ids)
    return client.request(row.method, path, json=body)
