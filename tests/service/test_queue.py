"""The queue: order, lanes, fences, leases that are lost, clocks that step."""

import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.clock import HOUR_MS, SECOND_MS
from service.database.audit import list_changes, record_change
from service.database.engine import Database
from service.database.leases import LeaseWatch, Sighting, release, release_held, sightings
from service.database.queue import (
    Job,
    Leaser,
    NewJob,
    add_job,
    count_held,
    depth,
    drop_job,
    fail,
    finish,
    forget_ended,
    lease,
    lease_one,
    put_back,
    renew,
    wake_key,
)
from service.errors import LeaseLostError
from service.worker.identity import is_dead, process_identity
from tests.service.clocks import NOON, TurnedClock
from tests.service.databases import KINDS, opened, url_of
from tests.service.queue_drill import Drill, done, fill, join, keys, kill_some, working

LEASE_MS = 30 * SECOND_MS
ANN = Leaser("ann", "pool-a")
BOB = Leaser("bob", "pool-b")


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with opened(request.param, tmp_path) as database:
        yield database


def add(
    database: Database,
    key: str,
    source: str = "shop",
    lane: str | None = None,
    number: int = 0,
    now_ms: int = NOON,
    run_at_ms: int | None = None,
) -> bool:
    with database.write() as tx:
        job = NewJob(key, "run", source, {"run": key}, lane, number)
        return add_job(tx, job, now_ms, run_at_ms)


def take(
    database: Database, leaser: Leaser = ANN, now_ms: int = NOON, after: str = ""
) -> Job | None:
    with database.write() as tx:
        return lease(tx, leaser, ("run",), now_ms, LEASE_MS, after)


def taken(database: Database, leaser: Leaser = ANN, now_ms: int = NOON, after: str = "") -> Job:
    job = take(database, leaser, now_ms, after)
    assert job is not None
    return job


def test_a_key_is_queued_once_until_it_has_ended(database: Database) -> None:
    assert add(database, "a")
    assert not add(database, "a")
    job = taken(database)
    assert not add(database, "a")
    with database.write() as tx:
        finish(tx, job)
    assert add(database, "a")
    assert taken(database).attempts == 2


def test_sources_take_turns_whatever_their_load(database: Database) -> None:
    for number in range(5):
        add(database, f"big{number}", "big")
    add(database, "small", "small")
    add(database, "alone", "alone")
    order, source = [], ""
    while job := take(database, after=source):
        source = job.source
        order.append(source)
    assert order == ["alone", "big", "small", "big", "big", "big", "big"]


def test_a_lane_admits_one_job_at_a_time_in_its_order(database: Database) -> None:
    for number in (3, 1, 2):
        add(database, f"r{number}", lane="rule:shop/a", number=number)
    add(database, "other", lane="rule:shop/b", number=9)
    first = taken(database)
    other = taken(database)
    assert {first.dedupe_key, other.dedupe_key} == {"r1", "other"}
    assert take(database) is None
    with database.write() as tx:
        assert lease_one(tx, BOB, "r2", NOON, LEASE_MS) is None
        put_back(tx, first if first.dedupe_key == "r1" else other, NOON, HOUR_MS)
    assert take(database) is None, "one that waits still has the lane"
    with database.write() as tx:
        assert drop_job(tx, "r1")
    assert taken(database).dedupe_key == "r2"


def test_what_a_launcher_holds_is_left_to_its_workers(database: Database) -> None:
    add(database, "a")
    job = taken(database, ANN)
    with database.write() as tx:
        put_back(tx, job, NOON, 0, holder=ANN.holder)
        assert count_held(tx, ANN.holder) == 1
    assert take(database, BOB) is None
    with database.write() as tx:
        assert lease(tx, ANN, ("run",), NOON, LEASE_MS, carried=True) is not None


def test_a_full_launcher_starts_nothing_new(database: Database) -> None:
    add(database, "a")
    with database.write() as tx:
        assert lease(tx, ANN, ("run",), NOON, LEASE_MS, carried=True) is None
    assert take(database) is not None


def do(database: Database, job: Job, settle: str) -> None:
    with database.write() as tx:
        record_change(tx, NOON, "late", "did", "a")
        if settle == "finish":
            finish(tx, job)
        elif settle == "fail":
            fail(tx, job, "why")
        else:
            put_back(tx, job, NOON, 0)


@pytest.mark.parametrize("settle", ["finish", "fail", "put_back"])
def test_who_lost_the_lease_has_no_effect(database: Database, settle: str) -> None:
    add(database, "a")
    late = taken(database, ANN)
    with database.write() as tx:
        (seen,) = sightings(tx)
        assert release(tx, seen, NOON)
    now = taken(database, ANN)  # even the same worker: another attempt
    assert now.attempts == late.attempts + 1
    with pytest.raises(LeaseLostError):
        do(database, late, settle)
    with database.write() as tx:
        assert list_changes(tx, 10) == []
        finish(tx, now)
    with pytest.raises(LeaseLostError), database.write() as tx:
        finish(tx, now)


def test_a_lease_is_lost_only_when_nobody_renews_it(database: Database) -> None:
    clock = TurnedClock()
    watch = LeaseWatch(LEASE_MS)
    add(database, "a")
    job = taken(database)

    def lost() -> list[Sighting]:
        with database.read() as tx:
            return watch.lost(sightings(tx), clock.passed_ms(), lambda _: False)

    for _ in range(6):
        assert lost() == []
        clock.advance(LEASE_MS // 3)
        with database.write() as tx:
            assert renew(tx, [job], clock.now_ms() + LEASE_MS) == []
    for _ in range(3):
        assert lost() == []
        clock.advance(LEASE_MS // 3)
    (seen,) = lost()
    with database.write() as tx:
        assert release(tx, seen, clock.now_ms())
        assert not release(tx, seen, clock.now_ms())
        assert renew(tx, [job], clock.now_ms()) == [job]
    assert take(database, BOB, clock.now_ms()) is not None


def test_a_long_silence_of_the_database_takes_no_lease_away(database: Database) -> None:
    """Locked, full or away for minutes: its owner could not renew, and has time to once it can."""
    clock = TurnedClock()
    watch = LeaseWatch(LEASE_MS)
    add(database, "a")
    job = taken(database)

    def lost() -> list[Sighting]:
        with database.read() as tx:
            return watch.lost(sightings(tx), clock.passed_ms(), lambda _: False)

    assert lost() == []
    clock.advance(LEASE_MS // 3)  # the owner's renewal is due, and cannot be written from now on
    assert lost() == []
    clock.advance(10 * LEASE_MS)
    assert lost() == [], "it works again; whoever comes first must not take the job"
    clock.advance(LEASE_MS // 6)
    with database.write() as tx:
        assert renew(tx, [job], clock.now_ms() + LEASE_MS) == []
    assert lost() == []
    for _ in range(3):
        clock.advance(LEASE_MS // 3)
        seen = lost()
    assert [one.id for one in seen] == [job.id], "a dead owner is found out all the same"


@pytest.mark.parametrize("hours", [-5, 5])
def test_a_clock_that_steps_takes_no_lease_away(database: Database, hours: int) -> None:
    clock = TurnedClock()
    watch = LeaseWatch(LEASE_MS)
    add(database, "a")
    taken(database)
    with database.read() as tx:
        seen = sightings(tx)
    assert watch.lost(seen, clock.passed_ms(), lambda _: False) == []
    clock.step(hours * HOUR_MS)
    for _ in range(2):
        clock.advance(LEASE_MS // 3)
        assert watch.lost(seen, clock.passed_ms(), lambda _: False) == []
    assert take(database, BOB, clock.now_ms()) is None
    clock.advance(LEASE_MS // 3)
    assert watch.lost(seen, clock.passed_ms(), lambda _: False) == seen


def test_a_clock_that_steps_back_stalls_nothing(database: Database) -> None:
    add(database, "a", now_ms=NOON, run_at_ms=NOON + SECOND_MS)
    assert take(database, now_ms=NOON) is None
    assert take(database, now_ms=NOON - 5 * SECOND_MS) is None, "clocks may differ a little"
    assert take(database, now_ms=NOON - HOUR_MS) is not None


def test_backoff_counts_failures_in_a_row(database: Database) -> None:
    add(database, "a")
    now_ms = NOON
    for failures in range(3):
        job = taken(database, now_ms=now_ms)
        assert job.failures == failures
        with database.write() as tx:
            put_back(tx, job, now_ms, SECOND_MS, error="no answer")
        assert take(database, now_ms=now_ms) is None
        now_ms += SECOND_MS
    job = taken(database, now_ms=now_ms)
    with database.write() as tx:
        put_back(tx, job, now_ms, 0)
    assert taken(database, now_ms=now_ms).failures == 0


def test_waking_shutting_down_and_counting(database: Database) -> None:
    add(database, "a", run_at_ms=NOON + HOUR_MS)
    assert take(database) is None
    with database.write() as tx:
        assert depth(tx, NOON) == []
        assert wake_key(tx, NOON, "a") == 1
        (waiting,) = depth(tx, NOON + 7)
        assert (waiting.kind, waiting.waiting, waiting.oldest_ms) == ("run", 1, 7)
    job = taken(database, ANN)
    with database.write() as tx:
        put_back(tx, job, NOON, HOUR_MS, holder=ANN.holder)
        assert release_held(tx, ANN.holder, NOON) == 1
    job = taken(database, BOB)
    with database.write() as tx:
        finish(tx, job)
        assert forget_ended(tx, NOON) == 0
        assert forget_ended(tx, NOON + 1) == 1


def test_committed_work_rings_the_bell_and_undone_work_does_not(database: Database) -> None:
    rung = database.bell.count

    def half() -> None:
        with database.write() as tx:
            add_job(tx, NewJob("a", "run", "shop"), NOON)
            raise KeyError

    with pytest.raises(KeyError):
        half()
    with database.write() as tx:
        record_change(tx, NOON, "me", "did", "nothing for a worker")
    assert not database.bell.wait(rung, 0.01)
    add(database, "a")
    assert database.bell.wait(rung, 0.01)


def test_this_process_lives_and_a_dead_one_is_known(database: Database) -> None:
    mine = process_identity()
    machine, pid, start = mine.rsplit(":", 2)
    assert not is_dead(mine)
    assert not is_dead(f"{mine}/thread-1")
    assert is_dead(f"{machine}:{pid}:{int(start) + 1}"), "the number is another process now"
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert is_dead(f"{machine}:{child.pid}:1/steps")
    assert not is_dead(f"elsewhere:{pid}:1"), "another machine's processes cannot be seen"
    assert not is_dead("a name of any form")


def test_eight_threads_do_each_job_once(database: Database) -> None:
    for number in range(80):
        add(database, f"j{number}", f"s{number % 3}")

    def work(name: str) -> None:
        while job := take(database, Leaser(name, "")):
            with database.write() as tx:
                record_change(tx, NOON, name, "did", job.dedupe_key)
                finish(tx, job)

    threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as tx:
        done = Counter(entry.object for entry in list_changes(tx, 1000))
    assert done == Counter({f"j{number}": 1 for number in range(80)})


@pytest.mark.parametrize(
    ("processes", "kills", "seed"), [(2, 3, 1), pytest.param(8, 2, 2, marks=pytest.mark.slow)]
)
def test_no_job_is_lost_or_done_twice_when_workers_are_killed(
    database: Database, processes: int, kills: int, seed: int
) -> None:
    _drill(database, Drill(80, processes, kills, seed))


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_five_thousand_jobs_survive_killed_workers(tmp_path: Path) -> None:
    with opened("postgresql", tmp_path) as database:
        _drill(database, Drill(5000, processes=8, kills=12, seed=3))


def _drill(database: Database, drill: Drill) -> None:
    url = url_of(database)
    fill(database, drill.jobs)
    with working(url, drill) as running:
        kill_some(database, url, drill, running)
        join(running)
    assert done(database) == Counter(keys(drill.jobs))
