"""The restore drill: a service is backed up while it works, lost, and comes back as it was."""

import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from service.backup.copying import copy_partition
from service.backup.settle import refuse_a_database_at_work, settle
from service.cli import main
from service.cli.exits import FAILED
from service.database import tables
from service.errors import BackupError
from service.notifications.outbox import next_counter
from tests.real import own_name
from tests.service.api.house import DAY_MS, FIRST_MS, House, daily, detection, rfc3339
from tests.service.databases import KINDS, administer, postgres_url
from tests.service.postgres_server import server_programs
from tests.service.rebuilding import environment, running
from tests.service.receiver import Receiver, receiving
from tests.service.world import World
from tests.service.world import world as open_world
from tests.waiting import until

SHOP = "shop"
DAYS = 20
NOTIFY = {"channels": ["hook"], "on": ["anomaly"], "max_age": "3650d"}
RANGE = {"start": "2026-06-05", "end": "2026-06-21"}


@dataclass
class Place:
    """An installation that can be lost."""

    folder: Path
    dump: Callable[[], None]
    lose: Callable[[], None]

    @property
    def backup(self) -> Path:
        return self.folder / "backup"


@pytest.fixture(params=KINDS)
def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    if request.param == "sqlite":
        yield Place(tmp_path, lambda: None, lambda: shutil.rmtree(tmp_path / "data"))
        return
    with _on_postgres(tmp_path, monkeypatch) as place:
        yield place


@contextmanager
def _on_postgres(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    name = own_name("lupus_")
    url = postgres_url(name)
    monkeypatch.setenv("LUPUS_DATABASE", url.set(password=None).render_as_string())
    if url.password:
        monkeypatch.setenv("LUPUS_DATABASE_PASSWORD", str(url.password))
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    file = folder / "database.dump"

    def program(name: str, *arguments: str) -> None:
        command = [str(server_programs() / name), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def lose() -> None:
        shutil.rmtree(folder / "data")
        administer(f"DROP DATABASE {name} WITH (FORCE)")
        administer(f"CREATE DATABASE {name}")
        program("pg_restore", "--dbname", plain, str(file))

    administer(f"CREATE DATABASE {name}")
    try:
        yield Place(folder, lambda: program("pg_dump", "-Fc", "-f", str(file), plain), lose)
    finally:
        administer(f"DROP DATABASE {name} WITH (FORCE)")


def dip(day: int) -> dict[str, Any]:
    labels = {"region": "jp"}
    time = rfc3339(FIRST_MS + day * DAY_MS)
    return {"metric": "ndcg@10", "labels": labels, "time": time, "value": 0.1}


def found(house: House) -> dict[str, Any]:
    """What people and machines are answered, of everything that a backup must bring back."""
    paths = {
        "sources": "/v1/sources",
        "metrics": f"/v1/sources/{SHOP}/metrics",
        "runs": f"/v1/detections?source={SHOP}",
        "anomalies": f"/v1/anomalies?source={SHOP}",
        "sent": "/v1/deliveries?state=sent",
        "channel": "/v1/channels/hook",
        "tokens": "/v1/tokens",
        "chart": f"/v1/points?source={SHOP}&metric=*&start=2026-06-01&end=2026-07-01&rule=check",
    }
    answers = {name: house.call("GET", path) for name, path in paths.items()}
    answers["sources"]["items"] = [
        one for one in answers["sources"]["items"] if one["name"] == SHOP
    ]
    for token in answers["tokens"]["items"]:
        token.pop("last_used_at", None)
    for run in answers["runs"]["items"]:
        run.pop("notified", None)  # says whether its message still waits
    return answers


def numbers(house: House) -> tuple[int, int]:
    """The highest version of results and of points that was handed out."""
    with house.resources.database.read() as tx:
        of_runs = select(func.max(tables.runs.c.generation))
        of_points = select(func.max(tables.ingests.c.sequence))
        return int(tx.execute(of_runs).scalar_one()), int(tx.execute(of_points).scalar_one())


@contextmanager
def noise(house: House) -> Iterator[None]:
    """Points of another source, without end."""
    over, begun = threading.Event(), threading.Event()

    def send() -> None:
        number = 0
        while not over.is_set():
            number += 1
            house.send("noise", daily([float(number)] * 3))
            begun.set()

    house.source("noise")
    thread = threading.Thread(target=send)
    thread.start()
    try:
        assert begun.wait(120)
        yield
    finally:
        over.set()
        thread.join()


def tell(house: House, receiver: Receiver) -> str:
    """A life: an anomaly that was told and judged, one whose message waits; the hook's secret."""
    house.source(SHOP, timezone="Asia/Tokyo")
    made = house.call(
        "PUT", "/v1/channels/hook", 201, json={"kind": "webhook", "url": receiver.url}
    )
    house.send(SHOP, daily([1.0] * DAYS, labels={"region": "jp"}))
    house.send(SHOP, [dip(10)])
    assert detect(house)["state"] == "succeeded"
    until(lambda: messages(receiver) == 1, 300, "nothing was sent")
    anomaly = house.call("GET", f"/v1/anomalies?source={SHOP}")["items"][0]
    said = {"verdict": "expected", "comment": "a sale"}
    house.call("PATCH", f"/v1/anomalies/{anomaly['id']}", json=said)
    receiver.answers = [(503, {"retry-after": "4"})] * 1000  # away until somebody mends it
    house.send(SHOP, [dip(15)])
    detect(house)
    until(lambda: messages(receiver) == 2, 300, "nobody tried to send")
    return str(made["new_secret"])


def restored(place: Place, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What the command says, once the leases that a young dump holds are over."""
    said = ""

    def done() -> bool:
        nonlocal said
        capsys.readouterr()
        code = main(["restore", str(place.backup), "--json"])
        said = capsys.readouterr().out.splitlines()[0]
        assert code == 0 or "worker is at work" in said, said
        return code == 0

    until(done, 300, "it was never restored")
    settled: dict[str, Any] = json.loads(said)
    return settled


def messages(receiver: Receiver) -> int:
    return len({got.id for got in receiver.got})


def said(receiver: Receiver) -> list[tuple[str, str]]:
    """What became of which episode (by its first day), as messages told it; each message once."""
    once = {got.id: got.content["data"]["episodes"] for got in receiver.got}
    return [(one["phase"], one["since"][:10]) for told in once.values() for one in told]


def detect(house: House) -> dict[str, Any]:
    return house.detect(detection(SHOP, range=RANGE, notify=NOTIFY))


@pytest.mark.timeout(900)  # a busy machine
def test_a_lost_service_comes_back_as_it_was(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    with receiving() as receiver:
        with running() as house:
            token = house.token(verbs=("read",))
            secret = tell(house, receiver)
            with noise(house):
                before = found(house)
                place.dump()
                assert main(["backup", str(place.backup), "--json"]) == 0
            receiver.answers.clear()
            pending = "/v1/deliveries?state=pending"
            until(lambda: not house.call("GET", pending)["items"], 300, "it was not tried again")
            # Said after the backup: forgotten, and its numbers must not come again.
            house.send(SHOP, [dip(17)])
            detect(house)
            until(lambda: messages(receiver) == 3, 300, "the third anomaly was not told")
            last = numbers(house)
        told = {got.id for got in receiver.got}
        attempts = len(receiver.got)
        counters = [got.content["counter"] for got in receiver.got]
        place.lose()

        settled = restored(place, capsys)
        assert settled["messages_kept"] == 1

        with running() as house:
            after = found(house)
            reader = house.client(token)
            assert reader.get("/v1/me").status_code == 200
            (kept,) = house.call("GET", "/v1/deliveries?state=dead")["items"]
            assert "replay it if it was not" in kept["error"]
            assert house.call("GET", pending)["items"] == []
            # Finds what was told before, and for the first time nothing else: that it is over.
            assert detect(house)["state"] == "succeeded"
            until(lambda: messages(receiver) == 4, 300, "the end is not told")
            house.send(SHOP, [dip(18)])
            ended = detect(house)
            until(lambda: messages(receiver) == 5, 300, f"a new anomaly is not told: {ended}")
            # Messages are queued before a run ends: with none waiting, all was said.
            until(lambda: not house.call("GET", pending)["items"], 300, "something waits")
            now = numbers(house)
        assert now[0] > last[0]
        assert now[1] > last[1]
        newer = receiver.got[attempts:]
        assert all(got.signed(secret) for got in newer), "the key came back, too"
        assert min(got.content["counter"] for got in newer) > max(counters), "no receiver drops it"
        assert not {got.id for got in newer} & told, "no message comes twice"
        assert said(receiver) == [
            ("started", "2026-06-11"),
            ("started", "2026-06-16"),
            ("started", "2026-06-18"),  # after the backup
            ("ended", "2026-06-11"),
            ("ended", "2026-06-16"),
            ("started", "2026-06-19"),
        ], "nothing is said twice"
    # The archive was copied after the database: it has what came in between.
    assert after == before


def test_what_is_no_backup_or_no_empty_place_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    backup = tmp_path / "backup"
    assert main(["backup", str(backup)]) == FAILED
    assert "nothing to back up" in capsys.readouterr().err
    with running() as house:
        house.source(SHOP)
        house.send(SHOP, daily([1.0]))
    shutil.rmtree(backup)
    assert main(["backup", str(backup)]) == 0
    assert "LUPUS_SECRET_KEY" not in capsys.readouterr().out, "the key was copied"
    assert (backup / "secret.key").stat().st_mode & 0o077 == 0
    assert main(["backup", str(backup)]) == FAILED
    assert "not empty" in capsys.readouterr().err
    assert main(["restore", str(backup)]) == FAILED
    assert "there already" in capsys.readouterr().err
    (tmp_path / "data" / "lupus.db").unlink()
    assert main(["restore", str(backup)]) == FAILED
    assert "not empty" in capsys.readouterr().err
    assert main(["restore", str(tmp_path)]) == FAILED
    assert "no backup" in capsys.readouterr().err
    shutil.rmtree(tmp_path / "data")
    (backup / "manifest.json").unlink()
    assert main(["restore", str(backup)]) == FAILED
    assert "written last" in capsys.readouterr().err
    assert not (tmp_path / "data" / "lupus.db").exists(), "nothing was begun"


def test_a_partition_that_is_folded_meanwhile_is_looked_at_again(tmp_path: Path) -> None:
    old, new = tmp_path / "a.parquet", tmp_path / "compact-1.parquet"
    new.write_bytes(b"ab")
    looks = iter([[old, new], [new]])
    assert copy_partition(lambda _: next(looks), tmp_path, tmp_path / "to") == (1, 2)
    assert [path.name for path in (tmp_path / "to").iterdir()] == [new.name]
    with pytest.raises(BackupError, match="faster"):
        copy_partition(lambda _: [old], tmp_path, tmp_path / "to")


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with open_world(tmp_path, request.param) as world:
        yield world


def test_what_lost_workers_held_goes_on_at_once(world: World) -> None:
    world.launcher.script = ["run", "succeed"]
    run = world.accept()
    assert world.tick("run")
    with world.database.write() as tx:
        settled = settle(tx, world.clock.now_ms(), "yesterday")
    assert settled.jobs_freed == 1
    world.launcher.forget()
    world.holder = "pool-2"
    world.settle()
    assert world.run(run).state == "succeeded"


def test_messages_are_numbered_above_all_that_a_lost_service_sent(world: World) -> None:
    """Also those of a rule that had told nothing yet when the backup was made."""
    now_ms = world.clock.now_ms()
    with world.database.write() as tx:
        assert [next_counter(tx, "chat", "shop", "old") for _ in range(2)] == [1, 2]
        settle(tx, now_ms, "yesterday")
        assert [next_counter(tx, "chat", "shop", "old") for _ in range(2)] == [now_ms, now_ms + 1]
        assert next_counter(tx, "chat", "shop", "new") == now_ms
        settle(tx, now_ms - DAY_MS, "a clock that went back")
        assert next_counter(tx, "chat", "shop", "old") == now_ms + 2
        assert next_counter(tx, "chat", "shop", "newer") > now_ms


def test_a_database_that_a_worker_works_at_is_not_settled(world: World) -> None:
    world.launcher.script = ["run"]
    world.accept()
    assert world.tick("run")
    with world.database.write() as tx:
        refuse_a_database_at_work(tx, world.clock.now_ms())  # a lease of a backup is over
        tx.execute(tables.jobs.update().values(lease_until_ms=world.clock.now_ms() + 9_000))
        with pytest.raises(BackupError, match="worker is at work"):
            refuse_a_database_at_work(tx, world.clock.now_ms())
