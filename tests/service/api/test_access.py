"""Every route and every kind of caller: a route without a row here fails."""

from dataclasses import dataclass
from typing import Any

import pytest
from fastapi.routing import APIRoute, iter_route_contexts

from service.auth.caller import Verb
from service.database.deliveries import insert_delivery, update_delivery
from tests.service.api.house import House, daily, detection
from tests.service.hooks import put_webhook

SEEN, HIDDEN = "acc.seen", "acc.hidden"


@dataclass(frozen=True)
class Row:
    """A route and the verb that it needs: on one source, or on all of them."""

    method: str
    path: str
    verb: Verb | None
    scope: str = "source"  # source | all | any (answers everybody, with what they may see)
    json: Any = None
    content: Any = None
    fine: int = 200


ROWS = (
    Row("GET", "/v1/detections", "read", "any"),
    Row("POST", "/v1/detections", "detect", json=detection("{source}"), fine=202),
    Row("GET", "/v1/detections/{detection}", "read"),
    Row("GET", "/v1/detections/{detection}/series", "read"),
    Row("GET", "/v1/detections/{detection}/failures", "read"),
    Row("GET", "/v1/detections/{detection}/report", "read"),
    Row("POST", "/v1/detections/{detection}/rerun", "detect", fine=202),
    Row("POST", "/v1/detections/{detection}/cancel", "detect", fine=202),
    Row("GET", "/v1/anomalies", "read", "any"),
    Row("GET", "/v1/anomalies/{anomaly}", "read"),
    Row("PATCH", "/v1/anomalies/{anomaly}", "manage", json={"verdict": "false"}),
    Row("GET", "/v1/sources", "read", "any"),
    Row("PUT", "/v1/sources/{source}", "manage", json={"kind": "managed"}),
    Row("GET", "/v1/sources/{source}", "read"),
    Row("DELETE", "/v1/sources/{source}?dry_run=true", "manage"),
    Row("GET", "/v1/sources/{source}/metrics", "read"),
    Row("GET", "/v1/sources/{source}/series", "read"),
    Row("POST", "/v1/sources/{source}/points", "ingest", json={"points": daily([1.0])}),
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
    Row("GET", "/v1/ingests/{ingest}", "read"),
    Row(
        "POST",
        "/v1/tokens",
        "manage",
        "all",
        json={"name": "t", "sources": ["a"], "verbs": ["read"]},
        fine=201,
    ),
    Row("GET", "/v1/tokens", "manage", "all"),
    Row("GET", "/v1/tokens/{token}", "manage", "all", fine=404),
    Row("PATCH", "/v1/tokens/{token}", "manage", "all", json={"name": "u"}, fine=404),
    Row("POST", "/v1/tokens/{token}/rotate", "manage", "all", fine=404),
    Row("DELETE", "/v1/tokens/{token}", "manage", "all", fine=404),
    Row("GET", "/v1/me", None, "any"),
    Row("GET", "/metrics", "read", "all"),
)
OPEN = {("GET", "/livez"), ("GET", "/readyz")}


@pytest.fixture(scope="module")
def ids(idle: House) -> dict[str, dict[str, str]]:
    """Objects of both sources."""
    made: dict[str, dict[str, str]] = {}
    for source in (SEEN, HIDDEN):
        idle.source(source)
        ingest = idle.send(source, daily([0.4, 0.5]))
        run = idle.call("POST", "/v1/detections", 202, json=detection(source))
        made[source] = {
            "source": source,
            "detection": run["id"],
            "ingest": ingest["id"],
            "detector": "window",
            "channel": "acc-hook",
            "anomaly": idle.anomaly(source),
            "delivery": f"msg_{source}",
            "token": "none",
        }
    return made


@pytest.fixture(autouse=True)
def _channel(idle: House) -> None:
    with idle.resources.database.write() as tx:
        now_ms = idle.resources.clock.now_ms()
        put_webhook(tx, idle.resources.box, "http://127.0.0.1:9/hook", now_ms, "acc-hook")


def _send_before(house: House, source: str) -> None:
    """A delivery as it was before anybody asked for it once more."""
    with house.resources.database.write() as tx:
        if not update_delivery(tx, f"msg_{source}", state="sent"):
            insert_delivery(tx, house.delivery(source))


def _ask(house: House, row: Row, ids: dict[str, str], token: str | None, **client: Any) -> int:
    _send_before(house, ids["source"])
    path = row.path.format(**ids)
    body = row.json
    if isinstance(body, dict) and body.get("source") == "{source}":
        body = {**body, "source": ids["source"]}
    answer = house.client(token, **client).request(row.method, path, json=body)
    return answer.status_code


def test_every_route_has_a_row(idle: House) -> None:
    described = {(row.method, row.path.partition("?")[0]) for row in ROWS} | OPEN
    served = {
        (method, context.path)
        for context in iter_route_contexts(idle.app.routes)
        if isinstance(context.original_route, APIRoute)
        for method in context.original_route.methods or ()
    }
    assert served == described


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.method} {row.path}")
class TestEachRoute:
    def test_the_verb_on_the_source_is_enough_and_needed(
        self, idle: House, ids: dict[str, dict[str, str]], row: Row
    ) -> None:
        verbs: tuple[Verb, ...] = ("read", "ingest", "detect", "manage")
        right = (row.verb,) if row.verb else ()
        wrong = tuple(verb for verb in verbs if verb != row.verb)
        everything = idle.token(["*"], right or verbs)
        assert _ask(idle, row, ids[SEEN], everything) == row.fine
        if row.scope == "source":
            mine = idle.token(["acc.s*"], right)
            assert _ask(idle, row, ids[SEEN], mine) == row.fine
            assert _ask(idle, row, ids[HIDDEN], mine) == 404, "unseen does not exist"
        if row.scope == "all":
            scoped = idle.token(["acc.*"], right)
            assert _ask(idle, row, ids[SEEN], scoped) == 403
        if row.verb and row.fine != 404:
            assert _ask(idle, row, ids[SEEN], idle.token(["*"], wrong)) == 403

    def test_strangers_are_refused(
        self, idle: House, ids: dict[str, dict[str, str]], row: Row
    ) -> None:
        assert _ask(idle, row, ids[SEEN], "lps_wrong") == 401
        assert _ask(idle, row, ids[SEEN], None, client=("10.1.2.3", 4000)) == 401
        assert _ask(idle, row, ids[SEEN], None, base_url="http://evil.example:8700") == 401


def test_lists_hold_only_what_the_caller_may_see(
    idle: House, ids: dict[str, dict[str, str]]
) -> None:
    mine = idle.client(idle.token(["acc.seen"], ["read"]))
    sources = mine.get("/v1/sources").json()["items"]
    assert [source["name"] for source in sources] == [SEEN]
    runs = mine.get("/v1/detections").json()["items"]
    assert {run["source"] for run in runs} == {SEEN}
    assert mine.get("/v1/anomalies", params={"source": HIDDEN}).status_code == 404
    assert mine.get("/v1/deliveries", params={"source": HIDDEN}).status_code == 404
    assert mine.get("/v1/detections", params={"source": HIDDEN}).status_code == 404


def test_an_unseen_source_and_a_missing_one_answer_alike(
    idle: House, ids: dict[str, dict[str, str]]
) -> None:
    mine = idle.client(idle.token(["acc.seen"]))
    answers = []
    for name in (HIDDEN, "acc.missing"):
        for path in (f"/v1/sources/{name}", f"/v1/points?metric=a&source={name}"):
            answer = mine.get(path)
            answers.append((answer.status_code, answer.json()["detail"].replace(name, "?")))
        posted = mine.post("/v1/detections", json=detection(name))
        answers.append((posted.status_code, posted.json()["detail"].replace(name, "?")))
    assert len(set(answers)) == 1
    assert answers[0][0] == 404
