"""Ranges on the wall of a source, and a clock that is passed in."""

import ast
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import example, given, settings
from hypothesis import strategies as st

from service.clock import DAY_MS, HOUR_MS
from service.ranges import AskedRange, resolve_range
from storage.source import ExternalMapping, SourceSpec, TimeColumns
from tests.service.api.house import House, detection
from tests.service.clocks import NOON, TurnedClock
from tests.workflows.publishing import START, document, flat, key
from tests.workflows.publishing import House as Steps
from workflows.spacing import known_steps

QUARTER = timedelta(minutes=15)
ROOT = Path(__file__).parents[2]

# A zone and a day on or around which its clocks change, for the last two at midnight.
CHANGES = [
    ("Europe/Berlin", "2025-03-30"),
    ("Europe/Berlin", "2025-10-26"),
    ("America/New_York", "2025-11-02"),
    ("Asia/Kathmandu", "2025-06-01"),
    ("Australia/Lord_Howe", "2025-10-05"),
    ("Africa/Cairo", "2025-04-25"),
    ("America/Havana", "2025-11-02"),
]
ALIGNS = {"15m": 15, "1h": 60, "2h": 120, "6h": 360, "12h": 720, "1d": 1440}


def begins_a_period(moment: datetime, zone: ZoneInfo, minutes: int) -> bool:
    """Whether a multiple of ``minutes`` after local midnight begins here, by stepping back."""
    wall = moment.astimezone(zone).replace(tzinfo=None)
    before = (moment - QUARTER).astimezone(zone).replace(tzinfo=None)
    since = wall - wall.replace(hour=0, minute=0)
    if minutes <= 60:
        return not since % timedelta(minutes=minutes)  # an hour shown twice is two hours
    grid = wall - since % timedelta(minutes=minutes)
    if grid > before and grid <= wall:  # also a grid point that the change has skipped
        shown = [moment - QUARTER * back for back in range(1, 17)]
        return all(one.astimezone(zone).replace(tzinfo=None) < grid for one in shown)
    return False


def newest_period(moment: datetime, zone: ZoneInfo, minutes: int) -> datetime:
    """The last beginning of a period at or before a moment, by looking at every quarter."""
    quarter = moment - timedelta(minutes=moment.minute % 15)
    while not begins_a_period(quarter, zone, minutes):
        quarter -= QUARTER
    return quarter


@settings(derandomize=True, deadline=None, max_examples=250)
@given(
    st.sampled_from(CHANGES),
    st.one_of(st.integers(-60, 5 * 60), st.integers(-30 * 60, 54 * 60)),
    st.sampled_from(sorted(ALIGNS)),
    st.sampled_from([0, 1, 5, 13, 36]),
)
@example(("Europe/Berlin", "2025-10-26"), 210, "1h", 0)  # half past two for the second time
@example(("America/Havana", "2025-11-02"), 90, "1d", 0)  # half past midnight, the second time
@example(("Africa/Cairo", "2025-04-25"), 0, "1d", 0)  # the midnight that does not exist
def test_the_end_is_the_newest_whole_period_before_the_delay(
    change: tuple[str, str], minutes: int, align: str, delay_hours: int
) -> None:
    zone = ZoneInfo(change[0])
    day = datetime.fromisoformat(change[1]).replace(tzinfo=zone).astimezone(UTC)
    accepted = day + timedelta(minutes=minutes)
    asked = AskedRange(last="3d", align=align, delay=f"{delay_hours}h" if delay_hours else None)
    start_ms, end_ms = resolve_range(asked, change[0], None, int(accepted.timestamp() * 1000))
    newest = newest_period(accepted - timedelta(hours=delay_hours), zone, ALIGNS[align])
    assert datetime.fromtimestamp(end_ms / 1000, UTC) == newest
    end, start = (datetime.fromtimestamp(ms / 1000, zone) for ms in (end_ms, start_ms))
    assert (end.date() - start.date()).days == 3, "whole days are local days"


def test_a_half_arrived_day_is_not_judged(turned: House, clock: TurnedClock) -> None:
    turned.source("tim.tokyo", timezone="Asia/Tokyo")
    body = detection("tim.tokyo", range={"last": "1d", "delay": "22h"})
    ends = []
    for hours in (0, 0.5, 1.5):  # 21:00, 21:30 and 22:30 in Tokyo
        clock.wall_ms = NOON + int(hours * HOUR_MS)
        ends.append(turned.call("POST", "/v1/detections", 202, json=body)["range"]["end"])
    assert ends == ["2025-11-19T15:00:00Z", "2025-11-19T15:00:00Z", "2025-11-20T15:00:00Z"]


def test_a_naive_time_is_refused_and_a_bare_date_is_local(turned: House) -> None:
    turned.source("tim.naive", timezone="Asia/Tokyo")
    naive = {"start": "2025-11-01T00:00:00", "end": "2025-11-08"}
    problem = turned.call("POST", "/v1/detections", 422, json=detection("tim.naive", range=naive))
    assert problem["errors"][0]["pointer"] == "/range/start"
    local = {"start": "2025-11-01", "end": "2025-11-08"}
    run = turned.call("POST", "/v1/detections", 202, json=detection("tim.naive", range=local))
    assert run["range"] == {"start": "2025-10-31T15:00:00Z", "end": "2025-11-07T15:00:00Z"}


def test_what_steps_say_does_not_depend_on_when_they_run(steps: Steps) -> None:
    series = key("ndcg")
    steps.put(flat(series, 5) | {(series, START + 3 * DAY_MS): 50.0})
    said = []
    for rule, now_ms in (("early", 0), ("late", START + 9_000 * DAY_MS)):
        steps.context = replace(steps.context, now_ms=partial(int, now_ms))
        steps.run(5, rule=rule)
        (found,) = steps.anomalies(rule=rule).values()
        assert found.written_at_ms == now_ms
        said.append(document(found, "id", "rule"))
    assert said[0] == said[1]


# The edges: who starts a step gives it a clock, and says when a failure happened.
EDGES = {"workflows/argo/launcher.py", "workflows/local.py", "workflows/step_entry.py"}


def test_no_step_asks_a_clock_by_itself() -> None:
    clocks = ("time.time", "time.time_ns")
    calendars = ("datetime.now", "datetime.utcnow", "date.today", "datetime.today")
    asked = []
    for room in ("detectors", "workflows"):
        for file in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text())):
                text = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
                if text in clocks or text.endswith(calendars):
                    asked.append(str(file.relative_to(ROOT)))
    assert set(asked) == EDGES


def test_an_external_source_that_declares_no_step_is_looked_at(
    steps: Steps, tmp_path: Path
) -> None:
    hours = [START + hour * HOUR_MS for hour in range(48)]
    table = tmp_path / "warehouse" / "eval" / "part.parquet"
    table.parent.mkdir(parents=True)
    pq.write_table(pa.table({"at": hours, "score": [1.0] * 48}), table)
    mapping = ExternalMapping(
        connection="warehouse",
        table="eval",
        time=TimeColumns(("at",), "epoch_ms"),
        value_column="score",
        metric="ndcg",
    )
    source = SourceSpec("job.eval", mapping=mapping)
    request = steps.request(2, source=source)
    assert known_steps(steps.stores.archive, request) == {"ndcg": HOUR_MS}
    declared = replace(request, source=replace(source, steps_ms={"ndcg": DAY_MS}))
    assert known_steps(steps.stores.archive, declared) == {"ndcg": DAY_MS}
