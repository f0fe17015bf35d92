"""What a report says first: one line, a few sentences, a few numbers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from service.notifications.events import SEVERITIES, rank
from service.notifications.not_judged import not_judged
from service.notifications.wording import (
    date_text,
    day_text,
    days_since,
    listed,
    plural,
    range_text,
    severity_word,
    side_words,
)
from service.report.facts import ReportFacts
from service.report.rank import RankedSeries
from service.report.text import change_words, day_words, range_words, value_text

Kind = Literal["critical", "major", "warning", "fine", "unknown", "failed", "waiting"]
_CAUSES = {
    "data": "the data changed",
    "rule": "the rule's parameters changed",
    "baseline": "what is expected changed",
}


@dataclass(frozen=True)
class Headline:
    """The one line, and which sign and colour it has."""

    kind: Kind
    text: str


@dataclass(frozen=True)
class Tile:
    """One number with what it counts."""

    number: str
    words: str
    kind: str = ""


def headline(facts: ReportFacts) -> Headline:
    """The conclusion in plain words."""
    what = _what(facts)
    state = facts.run.state
    if state == "queued":
        return Headline("waiting", f"Waiting to be checked: {what}")
    if state in ("running", "publishing"):
        return Headline("waiting", f"Being checked: {what}")
    if state == "cancelled":
        return Headline("unknown", f"Cancelled: {what}")
    if state == "failed":
        return Headline("failed", f"Could not be checked: {what}")
    standing = facts.ranking.standing
    if open_ := [one for one in standing if not one.settled]:
        return _alarm(facts, open_)
    if standing:
        return Headline("fine", f"Looked at and settled: {_names(facts, standing)}")
    report = facts.report
    if report is None or not report.counts.get("judged", 0):
        return Headline("unknown", f"Could not be judged: {what}")
    if state == "partial":
        return Headline("unknown", f"Nothing unusual in what could be judged: {what}")
    return Headline("fine", f"As expected: {what}")


def _alarm(facts: ReportFacts, series: Sequence[RankedSeries]) -> Headline:
    """Of the worst severity only: what is milder follows below."""
    worst = max((one.worst.severity for one in series), key=rank)
    named = [one for one in series if one.worst.severity == worst]
    sides = {a.direction for one in named for a in one.found if a.severity == worst}
    side = side_words(next(iter(sides))) if len(sides) == 1 else "unusual"
    are = "is" if len({one.metric for one in named}) == 1 else "are"
    return Headline(worst, f"{severity_word(worst)}: {_names(facts, named)} {are} {side}")


def _names(facts: ReportFacts, series: Sequence[RankedSeries]) -> str:
    """Metrics in the order of their worst series."""
    names = dict.fromkeys(facts.look(one.metric).name for one in series)
    return f"{listed(list(names))} of {facts.source_name}"


def _what(facts: ReportFacts) -> str:
    names = [facts.look(metric).name for metric in facts.request.metrics]
    return f"{listed(names)} of {facts.source_name}"


def subtitle(facts: ReportFacts) -> str:
    """Whose check of which days."""
    request = facts.request
    who = f"Rule {facts.run.rule}" if facts.run.rule else "A detection without a rule"
    zone = "" if facts.timezone == "UTC" else f" ({facts.timezone})"
    return f"{who}, {range_text(request.start_ms, request.end_ms, facts.timezone)}{zone}"


def sentences(facts: ReportFacts) -> Iterator[str]:
    """What a reader should know who reads no further."""
    run = facts.run
    if run.state == "queued":
        yield _queue(facts.ahead)
    elif not run.ended:
        yield "The page looks again by itself; what was found stands here when the run is over."
    elif run.state == "cancelled":
        yield "Nothing of it was stored; what was found before still stands."
    else:
        yield from _found(facts)
        yield from _rest(facts)


def _queue(ahead: int) -> str:
    if not ahead:
        return "It is next."
    return f"{plural(ahead, 'run')} {'is' if ahead == 1 else 'are'} before it."


def _found(facts: ReportFacts) -> Iterator[str]:
    report, ranking = facts.report, facts.ranking
    if report is None:
        return
    total, judged = report.counts.get("series", 0), report.counts.get("judged", 0)
    if not ranking.standing:
        if judged:
            where = plural(total, "series", "series")
            yield f"{plural(judged, 'point')} of {where} were judged, and none is unusual."
        return
    count = len(ranking.standing)
    points = plural(ranking.found, "unusual point")
    least = "" if ranking.complete else "At least "
    where = f"{count:,} of {plural(total, 'series', 'series')}" if total > 1 else "the series"
    metrics = dict.fromkeys(facts.look(one.metric).name for one in ranking.standing)
    which = f" ({listed(list(metrics))})" if len(metrics) > 1 else ""
    yield f"{least}{points} in {where}{which}."
    yield _worst(facts, ranking.series[0])


def _worst(facts: ReportFacts, one: RankedSeries) -> str:
    worst, look = one.worst, facts.look(one.metric)
    labels = ", ".join(f"{name} {value}" for name, value in sorted(one.labels.items()))
    of = f"{look.name} ({labels})" if labels else look.name
    wanted = range_words(worst, look)
    change = change_words(worst)
    day = date_text(worst.ts_ms, facts.timezone, look.step_ms)
    text = f"The worst is {of}, {day}: {value_text(worst.value, look)}"
    if wanted:
        text += f", where {wanted} was expected"
    text += f" ({change})" if change else ""
    if nth := day_words(worst, facts.timezone):
        text += f". It was the {nth} since {day_text(worst.episode_start_ms, facts.timezone)}"
    return f"{text}."


def _rest(facts: ReportFacts) -> Iterator[str]:
    if facts.ranking.withdrawn:
        yield _withdrawn(facts)
    report = facts.report
    unjudged = str(not_judged(report, facts.timezone)["text"]) if report is not None else ""
    error = facts.run.error.strip()
    if error and not (unjudged and unjudged.rstrip(".") in error):
        yield error if error.endswith((".", "!", "?")) else f"{error}."
    if unjudged and "too short a history" not in error:
        yield f"Not judged: {unjudged}"


def _withdrawn(facts: ReportFacts) -> str:
    count = facts.ranking.withdrawn
    causes = {
        _CAUSES.get(anomaly.cause or "", "")
        for one in facts.ranking.series
        for anomaly in one.anomalies
        if anomaly.status == "withdrawn"
    } - {""}
    why = f", because {listed(sorted(causes))}" if causes else ""
    were = "was unusual and is" if count == 1 else "were unusual and are"
    return f"{plural(count, 'point')} {were} normal by now{why}."


def tiles(facts: ReportFacts) -> Iterator[Tile]:
    """Numbers at a glance."""
    report, ranking = facts.report, facts.ranking
    if report is None or facts.run.state == "cancelled":
        return
    counts = report.counts
    if ranking.found:
        more = "" if ranking.complete else "+"
        for severity in reversed(SEVERITIES):
            count = ranking.severities.get(severity, 0)
            words = severity_word(severity).lower()
            yield Tile(f"{count:,}{more if count else ''}", words, severity if count else "none")
    total = counts.get("series", 0)
    if ranking.found:
        yield Tile(f"{len(ranking.standing):,}", f"of {total:,} series unusual")
    else:
        yield Tile(f"{total:,}", "series looked at")
    yield Tile(f"{counts.get('judged', 0):,}", "points judged")
    lacking = sum(counts.get(name, 0) for name in ("no_data", "insufficient_history"))
    if lacking:
        yield Tile(f"{lacking:,}", "points not judged")
    if counts.get("failed", 0):
        yield Tile(f"{counts['failed']:,}", "series failed", "bad")
    if ranking.withdrawn:
        yield Tile(f"{ranking.withdrawn:,}", "withdrawn")


def since_words(start_ms: int, now_ms: int, timezone: str) -> str:
    """``today``, ``yesterday``, ``5 days ago``."""
    days = days_since(start_ms, now_ms, timezone) - 1
    if days <= 0:
        return "today"
    return "yesterday" if days == 1 else f"{days:,} days ago"
