"""What holds for every channel on every day, whatever the series do."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from service.clock import DAY_MS
from service.database.engine import Database
from service.database.ledger import Said, forget_said, said_of_series
from service.notifications.events import rank
from service.notifications.reasons import REASONS
from tests.service.databases import KINDS, add_source, opened
from tests.service.sixty_days import CHANNELS, DELETED_DAY, LATE_DAY, Day, Diary

EPISODES = {"on": ["anomaly", "withdrawn"], "channels": list(CHANNELS)}
Key = tuple[str, str]  # series, start of the episode as it was told


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with opened(request.param, tmp_path) as database:
        add_source(database, timezone="Asia/Tokyo")
        yield database


@dataclass
class Listener:
    """A channel's reader: believes what the messages say, and nothing else."""

    episodes: dict[Key, str] = field(default_factory=dict)  # severity by what is not over
    newest_ms: dict[str, int] = field(default_factory=dict)  # by series, of what was reported
    ids: set[str] = field(default_factory=set)

    def hear(self, message: dict[str, Any]) -> None:
        assert message["id"] not in self.ids
        self.ids.add(message["id"])
        for episode in message["data"]["episodes"]:
            key = (episode["series_id"], episode["since"])
            assert episode["was"] == self.episodes.pop(key, None), (message["type"], episode)
            if episode["now"] is not None:
                self.episodes[key] = episode["now"]
        for row in message["data"]["rows"]:
            if row["phase"] in ("started", "worse", "new"):
                at_ms = int(datetime.fromisoformat(row["time"]).timestamp() * 1000)
                before_ms = self.newest_ms.get(row["series_id"], 0)
                self.newest_ms[row["series_id"]] = max(at_ms, before_ms)


def said_to(database: Database, channel: str) -> list[Said]:
    with database.read() as tx:
        series = [f"{number:032x}" for number in range(6)]
        return said_of_series(tx, channel, "shop", "daily", series)


def check_counts(day: Day, channel: str) -> None:
    """Held and told are all changes, each once; every reason is one of the vocabulary."""
    notes = day.notified[channel]
    told = sum(note["count"] for note in notes["sent"] if note["event"] in ("anomaly", "withdrawn"))
    held: Counter[str] = Counter()
    for note in notes["held"]:
        assert note["why"] in REASONS
        assert note["text"]
        if note["event"] in ("anomaly", "withdrawn"):
            held[note["event"]] += note["count"]
    assert told + held.total() == len(day.changes)
    events = [message["type"] for message in day.messages[channel]]
    assert len(events) == len(set(events)), "one message per run, event and channel"
    assert {note["delivery"] for note in notes["sent"]} == {
        message["id"] for message in day.messages[channel]
    }


def check_ends(day: Day, listener: Listener, told_today: set[str]) -> None:
    """Nobody goes on believing what the newest point contradicts."""
    for series, _ in listener.episodes:
        last = day.last.get(series)
        if last is not None and not last.is_anomaly and series not in told_today:
            assert last.ts_ms <= listener.newest_ms[series], (day.day, series)


@pytest.mark.parametrize(("seed", "least"), [(0, "major"), (1, "warning")])
def test_sixty_days_of_episodes(database: Database, seed: int, least: str) -> None:
    listeners = {name: Listener() for name in CHANNELS}
    notify = {**EPISODES, "min_severity": least, "repeat": "episode"}
    heard: Counter[str] = Counter()
    for day in Diary(database, seed, notify).days():
        if day.day == DELETED_DAY:
            listeners["remade"] = Listener()
        for channel, listener in listeners.items():
            check_counts(day, channel)
            told_today = set()
            # In the order of the outbox.
            for message in sorted(day.messages[channel], key=lambda m: int(m["counter"])):
                listener.hear(message)
                data = message["data"]
                for row in data["rows"]:
                    heard[row["phase"]] += 1
                    assert rank(row["severity"]) >= rank(least)
                    if row["phase"] in ("started", "worse"):
                        told_today.add(row["series_id"])
                        age_ms = day.run.accepted_ms - listener.newest_ms[row["series_id"]]
                        assert age_ms <= 2 * DAY_MS
            check_ends(day, listener, told_today)
    assert min(heard[phase] for phase in ("started", "worse", "ended", "withdrawn")) > 0, heard
    check_ledger(database, least)


def check_ledger(database: Database, least: str) -> None:
    for channel in CHANNELS:
        entries = said_to(database, channel)
        found = {(one.anomaly, one.transition) for one in entries if one.status == "found"}
        assert all(rank(one.severity) >= rank(least) for one in entries if one.status == "found")
        for one in entries:
            if one.status == "ended":
                assert (one.anomaly, -one.transition) in found
            if one.status == "withdrawn":
                earlier = [t for anomaly, t in found if anomaly == one.anomaly]
                assert earlier, "only what was reported is withdrawn"
                assert min(earlier) < one.transition
    late = said_to(database, "late")
    assert late
    assert min(int(one.run.rsplit("-", 1)[1]) for one in late) >= LATE_DAY
    remade = said_to(database, "remade")
    assert min(int(one.run.rsplit("-", 1)[1]) for one in remade) >= DELETED_DAY


def test_sixty_days_of_every_point(database: Database) -> None:
    """repeat always: every new point once, no ends."""
    notify = {**EPISODES, "min_severity": "warning", "repeat": "always"}
    reported: Counter[tuple[str, int]] = Counter()
    for day in Diary(database, 1, notify).days():
        for channel in CHANNELS:
            check_counts(day, channel)
            for message in day.messages[channel]:
                phases = {row["phase"] for row in message["data"]["rows"]}
                assert phases <= {"new", "withdrawn"}
    for one in said_to(database, "first"):
        assert one.status != "ended"
        reported[one.anomaly, one.transition] += 1
    assert set(reported.values()) == {1}


def test_what_was_said_long_ago_is_forgotten_and_nothing_else(database: Database) -> None:
    notify = {**EPISODES, "min_severity": "warning"}
    for _ in Diary(database, 1, notify).days():
        pass
    before = said_to(database, "first")
    middle_ms = sorted(one.said_ms for one in before)[len(before) // 2]
    with database.write() as tx:
        assert forget_said(tx, middle_ms) > 0
    assert said_to(database, "first") == [one for one in before if one.said_ms >= middle_ms]
