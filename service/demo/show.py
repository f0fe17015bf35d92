"""The demonstration's tables."""

import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from rich.console import Console
from rich.table import Table

from service.demo.outcome import FalseAlarm, Outcome
from service.demo.receiver import Received

MOST_ALARMS = 8
LABEL_VALUE = re.compile(r'="([^"]*)"')
STYLES = {"critical": "red", "major": "dark_orange", "warning": "yellow"}


def show_outcomes(console: Console, outcomes: Sequence[Outcome]) -> None:
    """Print one row for each planted event and each rule that should have seen it."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("planted", "series", "when", "detector", "found", "delay", "severity"):
        table.add_column(name, no_wrap=name != "series", overflow="fold")
    shown = None
    for outcome in outcomes:
        event = outcome.planted
        first = event is not shown
        shown = event
        table.add_row(
            event.kind if first else "",
            short(event.series) if first else "",
            when(event.start, outcome.rule.step_hours) if first else "",
            str(outcome.rule.detector["type"]),
            "[green]yes[/]" if outcome.found else "[bold red]missed[/]",
            delay_words(outcome.delay, outcome.rule.step_hours),
            _severity(outcome.severity),
        )
    console.print(table)


def show_alarms(console: Console, alarms: Sequence[FalseAlarm], judged: int) -> None:
    """Print how many there were by detector, and the first few."""
    by_detector = Counter(str(alarm.rule.detector["type"]) for alarm in alarms)
    counted = ", ".join(f"{kind} {count}" for kind, count in by_detector.most_common())
    console.print(
        f"[bold]False alarms:[/] {len(alarms)} of {judged:,} judged points"
        + (f" ({counted})" if counted else "")
    )
    for alarm in alarms[:MOST_ALARMS]:
        console.print(
            f"  {when(alarm.when, alarm.rule.step_hours)}  {short(alarm.series)}  "
            f"{alarm.rule.detector['type']}  {_severity(alarm.severity)}",
            highlight=False,
        )
    if len(alarms) > MOST_ALARMS:
        console.print(f"  … and {len(alarms) - MOST_ALARMS} more")


def show_received(console: Console, received: Sequence[Received]) -> None:
    """Print what the webhook receiver got, and whether each signature was right."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("webhook", "says", "signature"):
        table.add_column(name, overflow="fold")
    for delivery in received:
        data = delivery.body.get("data", {})
        table.add_row(
            delivery.type,
            str(data.get("text", "")),
            "[green]right[/]" if delivery.signed else "[bold red]WRONG[/]",
        )
    console.print(table)


def short(series: str) -> str:
    """A series without its labels' names: ``ndcg@10 (dnn-v4, jp)``."""
    return f"{series.split('{')[0]} ({', '.join(LABEL_VALUE.findall(series))})"


def when(moment: datetime, step_hours: int) -> str:
    """A date, with the hour where points are finer than a day."""
    return f"{moment:%Y-%m-%d}" if step_hours >= 24 else f"{moment:%m-%d %H:%M}"


def delay_words(delay: timedelta | None, step_hours: int) -> str:
    """``0``, ``2 d`` or ``5 h``."""
    if delay is None:
        return "–"
    hours = delay / timedelta(hours=1)
    return "0" if not hours else f"{hours / 24:g} d" if step_hours >= 24 else f"{hours:g} h"


def _severity(word: str) -> str:
    return f"[{STYLES[word]}]{word}[/]" if word in STYLES else word or "–"
