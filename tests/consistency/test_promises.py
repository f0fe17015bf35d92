"""What people are promised: said once, refused whole, secrets kept, others' sources unseen."""

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog

from service.database.leases import release, sightings
from service.database.ledger import said_of_series
from service.database.queue import Leaser, lease
from service.database.runs import Run
from service.database.sources import put_source
from service.errors import LeaseLostError
from service.logs import set_up_logs
from service.notifications.outbox import message_id
from service.settings import Settings
from service.worker import run_tick
from service.worker.delivery_tick import tick_delivery
from service.worker.run_tick import tick_run
from tests.service.api.house import House, daily, detection
from tests.service.fake_launcher import finish
from tests.service.receiver import Receiver, receiving
from tests.service.test_notif_policy import change
from tests.service.world import LEASE_MS, World

NOTIFY = {"channels": ["chat"], "on": ["anomaly", "withdrawn"]}


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def published(world: World) -> Run:
    """A run whose report lies there and which no worker has closed."""
    world.launcher.script = ["run"]
    run = world.accept(notify=NOTIFY)
    world.tick("run")
    finish(world.parts.stores.objects, run.id, run.generation, [change("s1")])
    world.clock.advance(1000)
    return run


def ledger(world: World) -> list[tuple[int, str]]:
    with world.database.read() as tx:
        said = said_of_series(tx, "chat", "shop", "daily", ["s1"])
    return [(one.transition, one.delivery) for one in said]


def restarted(world: World) -> None:
    """What the killed worker had leased goes to the next one."""
    with world.database.write() as tx:
        for one in sightings(tx):
            assert release(tx, one, world.clock.now_ms())


@pytest.mark.parametrize("moment", ["update_run", "finish"])
def test_a_run_is_closed_and_told_in_one_piece(
    world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    world.webhook(receiver.url)
    run = published(world)

    def kill(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(run_tick, moment, kill)
        with pytest.raises(Killed):
            world.tick("run")
    assert world.deliveries() == []
    assert ledger(world) == []
    restarted(world)
    world.settle()
    assert world.run(run).state == "succeeded"
    (delivery,) = world.deliveries()
    assert ledger(world) == [(1, delivery.id)]
    assert delivery.counter == 1, "what was rolled back has used no number"


def test_a_crash_between_closing_and_delivering_says_nothing_twice(
    world: World, receiver: Receiver
) -> None:
    world.webhook(receiver.url)
    run = published(world)
    with world.database.write() as tx:
        job = lease(tx, Leaser("w", world.holder), ("run",), world.clock.now_ms(), LEASE_MS)
    assert job is not None
    tick_run(world.parts, job)
    # Killed here. The same tick once more, by who has lost the lease and by the next worker.
    with pytest.raises(LeaseLostError):
        tick_run(world.parts, job)
    world.settle()
    # The rule says the same again, in a run of its own.
    again = published(world)
    world.settle()
    assert (world.run(run).state, world.run(again).state) == ("succeeded", "succeeded")
    world.settle("delivery")
    (got,) = receiver.got
    assert ledger(world) == [(1, got.id)]
    notified = world.run(again).notified
    assert notified is not None
    assert notified["chat"]["sent"] == []
    assert [(note["event"], note["why"], note["count"]) for note in notified["chat"]["held"]] == [
        ("anomaly", "told_before", 1),
        ("succeeded", "not_asked_for", 1),
    ]


def test_a_delivery_whose_sender_died_comes_again_with_the_same_id_and_body(
    world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.webhook(receiver.url)
    published(world)
    world.settle()

    def kill(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr("service.worker.delivery_tick.finish", kill)
        with pytest.raises(Killed):
            world.tick("delivery")
    restarted(world)
    with world.database.write() as tx:
        body = {"kind": "managed", "display_name": "Another name"}
        put_source(tx, "shop", "managed", "UTC", body, world.clock.now_ms())
    world.settle("delivery")
    assert len(receiver.got) == 2
    assert len({(got.id, got.body) for got in receiver.got}) == 1


def test_a_delivery_has_the_id_of_its_run_channel_and_event(world: World) -> None:
    ids = set()
    for name in ("chat", "mail"):
        world.webhook("http://127.0.0.1:9/", name)
    run = world.accept(notify={"channels": ["chat", "mail"], "on": ["started", "succeeded"]})
    world.settle()
    for delivery in world.deliveries(run=run.id):
        assert json.loads(delivery.body)["id"] == delivery.id
        ids.add(delivery.id)
    assert len(ids) == 4
    events = [(c, e) for c in ("chat", "mail") for e in ("started", "succeeded")]
    assert ids == {message_id(run.id, channel, event) for channel, event in events}


def test_a_delivery_that_is_over_is_not_sent_by_a_late_worker(
    world: World, receiver: Receiver
) -> None:
    world.webhook(receiver.url)
    published(world)
    world.settle()
    with world.database.write() as tx:
        job = lease(tx, Leaser("w", "p"), ("delivery",), world.clock.now_ms(), LEASE_MS)
    assert job is not None
    tick_delivery(world.parts, job)
    with pytest.raises(LeaseLostError):
        tick_delivery(world.parts, replace(job, attempts=job.attempts + 1))
    assert len(receiver.got) == 1


def test_an_ingest_of_an_unseen_source_does_not_exist(idle: House) -> None:
    """Neither its state nor that it is there can be learnt by coming after it."""
    seen, hidden = idle.source("pro.seen"), idle.source("pro.hidden")
    ingest = idle.send(hidden, daily([1.0]))["id"]
    client = idle.client(idle.token([seen]))
    answers = [
        client.post("/v1/detections", json=detection(seen, after=[one]), params=params)
        for one in (ingest, "nope")
        for params in ({}, {"dry_run": "true"})
    ]
    assert {answer.status_code for answer in answers} == {422}
    texts = {answer.text.replace(ingest, "nope") for answer in answers}
    assert len(texts) == 1
    both = idle.client(idle.token([seen, hidden]))
    assert both.post("/v1/detections", json=detection(seen, after=[ingest])).status_code == 202


def test_a_token_sees_what_is_granted_and_a_404_for_the_rest(idle: House) -> None:
    seen, hidden = idle.source("pro.mine"), idle.source("pro.theirs")
    for source in (seen, hidden):
        idle.send(source, daily([1.0]))
        idle.anomaly(source)
    client = idle.client(idle.token([seen]))
    for name in ("detections", "anomalies", "deliveries"):
        assert hidden not in client.get(f"/v1/{name}").text
        assert client.get(f"/v1/{name}", params={"source": hidden}).status_code == 404
    assert hidden not in client.get("/v1/sources").text
    assert client.get(f"/v1/sources/{hidden}").status_code == 404
    assert client.post("/v1/detections", json=detection(hidden)).status_code == 404
    absent = client.post("/v1/detections", json=detection("pro.absent")).text
    unseen = client.post("/v1/detections", json=detection(hidden)).text
    assert absent.replace("pro.absent", hidden) == unseen


@contextmanager
def logs(settings: Settings) -> Iterator[io.StringIO]:
    """Everything that a service logs, as it logs it."""
    written = io.StringIO()
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        with redirect_stderr(written):
            set_up_logs(settings.model_copy(update={"log_level": "debug", "log_format": "json"}))
        yield written
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.reset_defaults()


def test_secrets_stand_in_no_log_no_object_no_answer(working: House, receiver: Receiver) -> None:
    hidden, wrong = "T0SECRETPATH", "lps_0wrongwrongwrongwrongwrongwrong"
    texts: list[str] = []
    with logs(working.resources.settings) as written:
        token = working.token()
        client = working.client(token)
        source = "pro.secrets"
        client.put(f"/v1/sources/{source}", json={"kind": "managed"})
        body = {"kind": "webhook", "url": f"{receiver.url}/{hidden}?key={hidden}"}
        key = client.put("/v1/channels/pro-secret", json=body).json()["new_secret"]
        gone = {"kind": "webhook", "url": f"http://127.0.0.1:9/{hidden}"}
        client.put("/v1/channels/pro-gone", json=gone)
        texts.append(working.client(wrong).get("/v1/me").text)
        for bad in ({"secret": f"whsec_{hidden}"}, {"url": f"ftp://127.0.0.1/{hidden}"}):
            answer = client.put("/v1/channels/bad", json={**body, **bad})
            assert answer.status_code == 422
            texts.append(answer.text)
        client.post(f"/v1/sources/{source}/points", json={"points": daily([1.0] * 40)})
        receiver.answers = [(500, {})]
        notify = {"channels": ["pro-secret", "pro-gone"], "on": ["succeeded", "partial"]}
        asked = detection(source, range={"start": "2026-07-01", "end": "2026-07-05"}, notify=notify)
        run = client.post("/v1/detections", json=asked).json()
        run = client.get(f"/v1/detections/{run['id']}", params={"wait": "60s"}).json()
        tried = _tried(working, run["id"])
        paths = ("channels", "deliveries", "detections", "sources", "tokens", "me")
        texts += [client.get(f"/v1/{path}").text for path in paths]
        texts += [client.get("/metrics").text, json.dumps(run), json.dumps(tried)]
    assert run["state"] == "succeeded"
    assert all(one["error"] for one in tried)
    assert '"event": "request"' in written.getvalue()
    folder = working.resources.settings.folder
    for secret in (token, key.removeprefix("whsec_"), hidden, wrong):
        assert secret not in written.getvalue()
        assert [text for text in texts if secret in text] == []
        # The database knows where messages go; tokens and signing keys stand not even there.
        where = {name.partition("-")[0] for name in _holding(folder, secret)}
        assert where == ({"lupus.db"} if secret == hidden else set())


HOLDING = """
import pathlib, sys
for path in pathlib.Path(sys.argv[1]).rglob("*"):
    if path.is_file() and sys.argv[2].encode() in path.read_bytes():
        print(path.name)
"""


def _holding(folder: Path, text: str) -> list[str]:
    """Names of files that hold a text. Another process looks: to close a file of SQLite in its
    own process would take its locks away."""
    command = [sys.executable, "-c", HOLDING, str(folder), text]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def _tried(house: House, run: str) -> list[dict[str, Any]]:
    for _ in range(200):
        items: list[dict[str, Any]] = house.call("GET", "/v1/deliveries", params={"run": run})[
            "items"
        ]
        if len(items) == 2 and all(one["attempts"] for one in items):
            return items
        house.resources.stopping.wait(0.05)
    raise AssertionError(items)


def test_one_bad_series_costs_only_itself(working: House) -> None:
    source = working.source("pro.bad")
    working.send(source, daily([1.0] * 40, labels={"region": "jp"}))
    working.send(source, daily([1.0] * 40, labels={"region": "tw"})[37:])
    detector = {"type": "window", "window": 10, "min_points": 5, "on_insufficient": "error"}
    span = {"start": "2026-07-01", "end": "2026-07-11"}
    run = working.detect(detection(source, range=span, detector=detector))
    assert (run["state"], run["counts"]["series"], run["counts"]["failed"]) == ("partial", 2, 1)
    assert [one["name"] for one in run["failures"]] == ['ndcg@10{region="tw"}']
    assert run["counts"]["judged"] == 10


def test_points_that_are_refused_at_the_door_leave_no_source_behind(idle: House) -> None:
    path, csv = "/v1/sources/pro.none/points", {"content-type": "text/csv"}
    refused = [
        idle.http.post(path, content=b"x", headers={"content-type": "application/xml"}),
        idle.http.post(path, content=b"x", headers={**csv, "content-encoding": "gzip"}),
        idle.http.post(path, json={"points": daily([1.0])}, headers={"idempotency-key": "no key"}),
    ]
    assert [answer.status_code for answer in refused] == [415, 415, 422]
    assert idle.http.get("/v1/sources/pro.none").status_code == 404
    idle.send("pro.none", daily([1.0]))
    assert idle.call("GET", "/v1/sources/pro.none")["kind"] == "managed"
