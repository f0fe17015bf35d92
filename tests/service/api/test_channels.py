"""Channels keep their secrets; a message goes out signed, is listed, and can be sent again."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from service.app import open_app
from service.database.deliveries import update_delivery
from service.settings import Settings
from tests.service.api.house import House, daily, detection


class Receiver:
    """A webhook's receiver on this machine."""

    def __init__(self) -> None:
        self.got: list[tuple[bytes, dict[str, str]]] = []
        got = self.got

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                got.append((body, {name.lower(): value for name, value in self.headers.items()}))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Be quiet."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/secret-path"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def test_a_secret_is_shown_once_and_then_masked(idle: House) -> None:
    url = "https://example.com/services/T0/B0/secret-path"
    made = idle.call("PUT", "/v1/channels/once", 201, json={"kind": "webhook", "url": url})
    assert made["new_secret"].startswith("whsec_")
    again = idle.call("PUT", "/v1/channels/once", json={"kind": "webhook", "url": url})
    assert again["new_secret"] is None
    rotated = idle.call(
        "PUT", "/v1/channels/once?rotate=true", json={"kind": "webhook", "url": url}
    )
    assert rotated["new_secret"] not in (None, made["new_secret"])
    for path in ("/v1/channels", "/v1/channels/once"):
        text = idle.http.get(path).text
        assert made["new_secret"] not in text
        assert rotated["new_secret"] not in text
        assert "secret-path" not in text, "the path of a webhook's URL is a secret too"
        assert "https://example.com/..." in text
    idle.call("DELETE", "/v1/channels/once", 204)
    assert idle.call("GET", "/v1/channels/once", 404)


def test_a_test_message_is_signed(working: House, receiver: Receiver) -> None:
    body = {"kind": "webhook", "url": receiver.url}
    secret = working.call("PUT", "/v1/channels/tested", 201, json=body)["new_secret"]
    answer = working.call("POST", "/v1/channels/tested/test")
    assert (answer["verdict"], answer["status"]) == ("sent", 204)
    content, headers = receiver.got[0]
    Webhook(secret).verify(content, headers)
    assert headers["webhook-id"] == answer["message_id"]


def test_a_channel_reaches_no_private_address_from_an_open_service(
    settings: Settings, receiver: Receiver
) -> None:
    opened = settings.model_copy(update={"host": "0.0.0.0"})
    body = {"kind": "webhook", "url": receiver.url}
    with open_app(settings) as app:
        house = House(app)
        token = house.token()
        house.call("PUT", "/v1/channels/inside", 201, json=body)
    with open_app(opened) as app:
        client = House(app).client(token)
        refused = client.put("/v1/channels/other", json=body)
        answer = client.post("/v1/channels/inside/test").json()
    assert refused.status_code == 422
    assert answer["verdict"] == "refused", "what was put before is refused when it is sent"
    for said in (refused.json()["errors"][0]["detail"], answer["error"]):
        assert "LUPUS_EGRESS_ALLOW" in said
    assert not receiver.got


@pytest.mark.parametrize(
    ("body", "pointer", "words"),
    [
        ({"kind": "webhook", "url": "ftp://example.com/x"}, "/url", "https://host/path"),
        ({"kind": "webhook", "url": "https://u:p@example.com"}, "/url", "secrets never stand"),
        ({"kind": "webhook", "url": "https://10.1.2.3/x"}, "/url", "LUPUS_EGRESS_ALLOW"),
        ({"kind": "webhook", "url": "http://169.254.169.254/"}, "/url", "LUPUS_EGRESS_ALLOW"),
        ({"kind": "webhook", "url": "http://[::ffff:127.0.0.1]/"}, "/url", "LUPUS_EGRESS_ALLOW"),
        ({"kind": "webhook", "url": "http://localhost:9/"}, "/url", "LUPUS_EGRESS_ALLOW"),
        ({"kind": "slack", "webhook_url": "http://a.localhost/"}, "/webhook_url", "public"),
        (
            {"kind": "alertmanager", "urls": ["https://example.com", "http://192.168.1.1:9093"]},
            "/urls/1",
            "LUPUS_EGRESS_ALLOW",
        ),
    ],
)
def test_an_address_that_is_never_reached_is_refused_when_it_is_put(
    settings: Settings, body: dict[str, Any], pointer: str, words: str
) -> None:
    with open_app(settings) as app:
        token = House(app).token()
    with open_app(settings.model_copy(update={"host": "0.0.0.0", "worker": False})) as app:
        client = House(app).client(token)
        refused = client.put("/v1/channels/wrong", json=body)
        assert refused.status_code == 422, refused.text
        (error,) = refused.json()["errors"]
        assert error["pointer"] == pointer
        assert words in error["detail"]
        assert client.get("/v1/channels/wrong").status_code == 404
        # A name is only known when it is resolved, at the time of sending.
        named = {"kind": "webhook", "url": "https://intranet.example/x"}
        assert client.put("/v1/channels/named", json=named).status_code == 201


def test_a_detection_is_told_and_can_be_told_again(working: House, receiver: Receiver) -> None:
    body = {"kind": "webhook", "url": receiver.url}
    secret = working.call("PUT", "/v1/channels/told", 201, json=body)["new_secret"]
    source = working.source("told.source")
    now_ms = working.resources.clock.now_ms()
    points = daily([0.4] * 30 + [0.05])
    for number, point in enumerate(points):
        point["time"] = _day(now_ms, number - 30)
    working.send(source, points)
    run = working.detect(
        detection(source, range={"last": "3d", "align": "1ms"}, notify={"channels": ["told"]})
    )
    assert run["state"] == "succeeded", run
    delivery = _until_sent(working, run["id"])
    content, headers = receiver.got[0]
    Webhook(secret).verify(content, headers)
    assert headers["webhook-id"] == delivery["id"]
    again = working.call("POST", f"/v1/deliveries/{delivery['id']}/replay", 202)
    assert again["state"] == "pending"
    _until_sent(working, run["id"])
    assert receiver.got[1][0] == content, "the same body"
    assert receiver.got[1][1]["webhook-id"] == delivery["id"], "the same id"
    told = working.call("GET", f"/v1/detections/{run['id']}")["notified"]["told"]
    (sent,) = told["sent"]
    assert (sent["delivery"], sent["state"], sent["text"]) == (delivery["id"], "sent", "1 anomaly")
    assert {(note["event"], note["why"]) for note in told["held"]} == {
        ("succeeded", "not_asked_for")
    }
    with working.resources.database.write() as tx:
        update_delivery(tx, delivery["id"], state="dead", error="given up")
    (sent,) = working.call("GET", f"/v1/detections/{run['id']}")["notified"]["told"]["sent"]
    assert (sent["state"], sent["error"]) == ("dead", "given up"), "as it is now"


def _day(now_ms: int, days: int) -> str:
    from tests.service.api.house import DAY_MS, rfc3339

    return rfc3339(now_ms // DAY_MS * DAY_MS + days * DAY_MS)


def _until_sent(house: House, run: str) -> dict[str, Any]:
    waiting = threading.Event()
    for _ in range(200):
        items = house.call("GET", "/v1/deliveries", params={"run": run, "state": "sent"})["items"]
        if items:
            sent: dict[str, Any] = items[0]
            return sent
        waiting.wait(0.05)
    raise AssertionError(house.call("GET", "/v1/deliveries", params={"run": run}))
