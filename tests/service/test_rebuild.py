"""lupus-server rebuild-index: an index that is lost comes back, document by document."""

import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from service.cli import main
from service.cli.exits import USAGE
from service.command_database import open_for_commands
from service.database.queue import NewJob, add_job
from service.database.verdicts import get_verdict, say_verdict
from service.rebuild.run import Rebuild
from service.rebuild.windows import windows
from service.verdicts import tell_late_verdicts, tell_verdict
from storage.index import AnomalyQuery, Index
from tests.service.databases import KINDS
from tests.service.rebuilding import (
    DAYS,
    SHOP,
    SOURCES,
    documents,
    environment,
    facts,
    running,
    stores_here,
    tell,
)
from tests.service.world import World
from tests.service.world import world as open_world
from tests.storage.documents import anomaly, new
from tests.storage.elasticsearch.server import own_place
from tests.storage.elasticsearch.server import remove as remove_index
from tests.storage.s3.bucket import own_bucket

Lose = Callable[[], None]


@pytest.fixture(params=["embedded", pytest.param("servers", marks=pytest.mark.real)])
def lose(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Lose]:
    """Sets the environment of an installation; loses its index when called."""
    with ExitStack() as stack:
        variables = environment(tmp_path)
        if request.param == "embedded":

            def lost() -> None:
                for file in (tmp_path / "data").glob("index.db*"):
                    file.unlink()
        else:
            place = stack.enter_context(own_place())
            bucket = stack.enter_context(own_bucket())
            variables |= {
                "LUPUS_ARCHIVE": f"{bucket.url}/archive",
                "LUPUS_OBJECTS": f"{bucket.url}/objects",
                "LUPUS_S3_ENDPOINT": bucket.s3.endpoint,
                "LUPUS_S3_ACCESS_KEY_ID": bucket.s3.access_key_id,
                "LUPUS_S3_SECRET_ACCESS_KEY": bucket.s3.secret_access_key.read(),
                "LUPUS_INDEX": place.url,
                "LUPUS_INDEX_PREFIX": place.settings.prefix,
                "LUPUS_INDEX_REPLICAS": "0",
            }

            def lost() -> None:
                remove_index(place)

        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield lost


def look() -> dict[str, list[Any]]:
    with stores_here() as stores:
        return documents(stores.index, *SOURCES)


def rebuild(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["rebuild-index", "--json", *arguments]) == 0
    counts: dict[str, Any] = json.loads(capsys.readouterr().out)["sources"]
    return counts


def test_a_lost_index_comes_back_as_it_was(
    lose: Lose, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running() as house:
        tell(house, tmp_path)
    before = look()
    assert facts(before) >= {
        ("found", 1, None, "ok", "none"),
        ("withdrawn", 2, "data", "point_removed", "none"),
        ("found", 3, "data", "ok", "false"),
        ("found", 1, "data", "ok", "none"),
    }, facts(before)
    assert all(before.values())

    assert rebuild(capsys)[SHOP]["anomalies"] > 0
    assert look() == before, "nothing was lost, so nothing changes"

    lose()
    counts = rebuild(capsys, "--source", SHOP)
    assert set(counts) == {SHOP}
    with stores_here() as stores:
        shop = documents(stores.index, SHOP)
    assert shop == {kind: [d for d in some if d["source"] == SHOP] for kind, some in before.items()}
    rebuild(capsys)
    assert look() == before
    assert rebuild(capsys)[SHOP]["verdicts"] == 3
    assert look() == before


def killed_at(call: int) -> None:
    """Rebuild in a process that is killed when it has told of its progress so many times."""
    calls = iter(range(1, 1000))

    def progress(source: str, done: int, total: int) -> None:
        if next(calls) == call:
            os.kill(os.getpid(), signal.SIGKILL)

    with open_for_commands() as (database, _), stores_here() as stores:
        Rebuild(database, stores, progress).run()


def test_a_rebuild_that_is_killed_is_repeated(
    lose: Lose, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running() as house:
        tell(house, tmp_path)
    before = look()
    lose()
    for call in (2, 3, 5):
        process = multiprocessing.get_context("spawn").Process(target=killed_at, args=(call,))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        assert look() != before
    rebuild(capsys)
    assert look() == before


def test_a_rebuild_beside_a_service_at_work_undoes_nothing(
    lose: Lose, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    over = threading.Event()
    errors: list[Exception] = []
    rebuilt: list[int] = []

    def again_and_again() -> None:
        try:
            with open_for_commands() as (database, _), stores_here() as stores:
                while not over.is_set():
                    Rebuild(database, stores, lambda *_: None).run()
                    rebuilt.append(1)
        except Exception as error:  # noqa: BLE001 - told to the test
            errors.append(error)

    with running() as house:
        beside = threading.Thread(target=again_and_again)
        beside.start()
        try:
            tell(house, tmp_path)
        finally:
            over.set()
            beside.join()
    assert not errors
    assert rebuilt
    before = look()
    assert ("withdrawn", 2, "data", "point_removed", "none") in facts(before)
    assert ("found", 3, "data", "ok", "false") in facts(before)
    lose()
    rebuild(capsys)
    assert look() == before


@pytest.fixture
def judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An installation with an anomaly; its id."""
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    with running() as house:
        house.source(SHOP)
        return house.anomaly(SHOP)


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with open_world(tmp_path, request.param) as world:
        yield world


class Deaf:
    """An index that a crash left untold."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def set_verdict(self, *_: object) -> None:
        raise KeyboardInterrupt

    def __getattr__(self, name: str) -> Any:
        return getattr(self._index, name)


def test_a_verdict_that_the_index_was_not_told_of_is_told_later(judged: str) -> None:
    with open_for_commands() as (database, _), stores_here() as stores:
        index = stores.index
        known = index.anomaly(judged)
        assert known is not None
        with database.write() as tx:
            say_verdict(tx, known, "expected", None, "ann", 1_000)
            said = say_verdict(tx, known, None, "a holiday", "bob", 2_000)
        with pytest.raises(KeyboardInterrupt):
            tell_verdict(database, Deaf(index), judged)
        assert tell_late_verdicts(database, index, 2_000) == 0, "somebody may be telling it"
        assert tell_late_verdicts(database, index, 100_000) == 1
        assert tell_late_verdicts(database, index, 100_000) == 0
        told = index.anomaly(judged)
        assert told is not None
        assert (told.verdict, told.comment, told.verdict_by, told.verdict_at_ms) == (
            "expected", "a holiday", "bob", 2_000,
        )  # fmt: skip
        with database.read() as tx:
            again = get_verdict(tx, judged)
        assert again is not None
        assert (again.number, again.told) == (said.number, said.number)


def test_the_janitor_tells_what_was_not_told(world: World) -> None:
    index = world.parts.stores.index
    index.write_anomalies([new(anomaly(0))])
    known = anomaly(0)
    now_ms = world.clock.now_ms()
    with world.database.write() as tx:
        say_verdict(tx, known, "false", "a drill", "ann", now_ms - 100_000)
        add_job(tx, NewJob("janitor", "janitor", ""), now_ms)
    world.tick("janitor")
    told = index.anomaly(known.id)
    assert told is not None
    assert (told.verdict, told.comment) == ("false", "a drill")


def test_what_is_said_while_it_is_told_is_told_too(judged: str) -> None:
    with open_for_commands() as (database, _), stores_here() as stores:
        known = stores.index.anomaly(judged)
        assert known is not None

        known_before = known

        class Slow(Deaf):
            said = False

            def set_verdict(self, *given: Any) -> Any:
                if not self.said:
                    self.said = True
                    with database.write() as tx:
                        say_verdict(tx, known_before, "false", None, "bob", 2)
                return self._index.set_verdict(*given)

        with database.write() as tx:
            say_verdict(tx, known, "expected", "why", "ann", 1)
        shown = tell_verdict(database, Slow(stores.index), judged)
        assert shown is not None
        assert (shown.verdict, shown.comment, shown.verdict_by) == ("false", "why", "bob")


def test_verdicts_of_an_older_version_are_taken_from_the_index(
    judged: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with stores_here() as stores:
        stores.index.set_verdict(judged, "acknowledged", "old", "ann", 7)
    assert rebuild(capsys)[SHOP]["adopted"] == 1
    with open_for_commands() as (database, _), stores_here() as stores:
        with database.read() as tx:
            said = get_verdict(tx, judged)
        assert said is not None
        assert (said.verdict, said.comment, said.caller, said.at_ms) == (
            "acknowledged", "old", "ann", 7,
        )  # fmt: skip
        stores.index.set_verdict(judged, "false", "lies", "eve", 8)
    assert rebuild(capsys)[SHOP]["adopted"] == 0
    with stores_here() as stores:
        (found,) = stores.index.search_anomalies(AnomalyQuery(), 10).items
        assert found.comment == "old", "the database decides"


def test_a_purged_source_takes_what_people_said_with_it(judged: str) -> None:
    with running() as house:
        house.call("PATCH", f"/v1/anomalies/{judged}", json={"verdict": "false"})
        house.call("DELETE", f"/v1/sources/{SHOP}", params={"purge": True})
        with house.resources.database.read() as tx:
            assert get_verdict(tx, judged) is None


def test_months_that_retention_removed_can_be_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    with running() as house:
        house.source(SHOP)
        old = [{"metric": "m", "time": f"2001-01-{day:02}T00:00:00Z", "value": 1} for day in (1, 2)]
        new = [{"metric": "m", "time": "2026-06-01T00:00:00Z", "value": 1}]
        house.send(SHOP, old + new)
    (tmp_path / "data" / "index.db").unlink()
    assert rebuild(capsys, "--newer-than", "20y")[SHOP]["points"] == 1
    assert rebuild(capsys)[SHOP]["points"] == 3


def test_sources_and_ages_that_make_no_sense_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LUPUS_DATA", str(tmp_path))
    assert main(["rebuild-index", "--source", "nobody"]) != 0
    assert "nobody" in capsys.readouterr().err
    assert main(["rebuild-index", "--newer-than", "soon"]) == USAGE
    assert main(["rebuild-index"]) == 0
    assert "no source" in capsys.readouterr().out


def test_windows_are_whole_days_and_no_longer_than_they_may_be() -> None:
    days = ["1970-01-01", "1970-01-02", "1970-01-05", "1970-02-20"]
    found = list(windows(days, 4))
    day = 86_400_000
    assert [(w.start_ms // day, w.end_ms // day, w.days) for w in found] == [
        (0, 2, 2), (4, 5, 1), (50, 51, 1),
    ]  # fmt: skip
    assert [w.start_ms // day for w in windows(days, 1, day)] == [1, 4, 50]
    assert not list(windows([], 31))
    assert DAYS > 31, "the story is longer than a window"
