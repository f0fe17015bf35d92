"""When each rule last ran, from an index alone: its cost follows the rules, not the runs."""

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, text

from service.database.runs import ENDED

_LAST = 8  # successes that say what interval is usual: a week of days and one more

# A walk from one (source, rule) to the next, each step one look into the index
# (state, source, rule, ended_ms); GROUP BY would read every run that is remembered.
_WALK = """
WITH RECURSIVE
named (source) AS (
    SELECT min(source) FROM runs WHERE state = :state
    UNION ALL
    SELECT (SELECT min(source) FROM runs WHERE state = :state AND source > named.source)
    FROM named WHERE named.source IS NOT NULL
),
ruled (source, rule) AS (
    SELECT source,
           (SELECT min(rule) FROM runs
            WHERE state = :state AND source = named.source AND rule > '')
    FROM named WHERE source IS NOT NULL
    UNION ALL
    SELECT source,
           (SELECT min(rule) FROM runs
            WHERE state = :state AND source = ruled.source AND rule > ruled.rule)
    FROM ruled WHERE ruled.rule IS NOT NULL
)
SELECT source, rule, {ends} FROM ruled WHERE rule IS NOT NULL
"""
_END = """
(SELECT ended_ms FROM runs
 WHERE state = :state AND source = ruled.source AND rule = ruled.rule
 ORDER BY ended_ms DESC LIMIT 1 OFFSET {number})
"""


@dataclass(frozen=True)
class Pulse:
    """Of one rule. ``interval_ms`` is the longest time between two of its last successes."""

    last_run_ms: int
    last_success_ms: int | None
    interval_ms: int | None


def rule_pulses(tx: Connection) -> dict[tuple[str, str], Pulse]:
    """Every rule that has an ended run, by (source, rule)."""
    last: dict[tuple[str, str], int] = defaultdict(int)
    successes: dict[tuple[str, str], list[int]] = {}
    for state in ENDED:
        for (source, rule), ends in _last_ends(tx, state, _LAST if state == "succeeded" else 1):
            last[source, rule] = max(last[source, rule], *ends)
            if state == "succeeded":
                successes[source, rule] = ends
    return {names: _pulse(end_ms, successes.get(names, [])) for names, end_ms in last.items()}


def _pulse(last_run_ms: int, successes: list[int]) -> Pulse:
    gaps = [later - earlier for later, earlier in pairwise(successes)]
    return Pulse(last_run_ms, max(successes, default=None), max(gaps, default=None))


def _last_ends(tx: Connection, state: str, number: int) -> list[tuple[tuple[str, str], list[int]]]:
    ends = ", ".join(_END.format(number=each) for each in range(number))
    rows: Any = tx.execute(text(_WALK.format(ends=ends)), {"state": state})
    return [
        ((source, rule), [int(end_ms) for end_ms in found if end_ms is not None])
        for source, rule, *found in rows
    ]
