"""The words of messages: short sentences that need neither statistics nor this program's terms."""

from service.notifications.digest import Digest
from service.notifications.not_judged import not_judged
from service.notifications.rows import Subject
from service.notifications.wording import (
    listed,
    plural,
    range_text,
    severity_word,
    side_words,
)
from workflows.report import Report

_STILL_STANDS = "What was reported before still stands."


def footer(subject: Subject) -> str:
    """Who says so, and what was looked at."""
    run, request = subject.run, subject.request
    who = f"Rule {run.rule}" if run.rule else "A detection without a rule"
    looked = range_text(request.start_ms, request.end_ms, subject.timezone)
    zone = "" if subject.timezone == "UTC" else f" ({subject.timezone})"
    return f"{who}, detector {run.detector}; checked {looked}{zone}"


def closing(report: Report, subject: Subject, shown: int, more: int) -> list[str]:
    """What the rows leave out, and what was not judged."""
    said = []
    if more:
        where = " in the report" if subject.report_url else ""
        worst = "The worst is" if shown == 1 else f"The {shown} worst are"
        said.append(f"{worst} shown; {more:,} more{where}." if shown else f"{more:,} more{where}.")
    text = not_judged(report, subject.timezone)["text"]
    return [*said, text] if text else said


def anomaly_title(subject: Subject, standing: Digest, over: Digest) -> str:
    """``Major: nDCG@10 of Ranking is unusually low``."""
    digest = standing if standing.rows else over
    names = sorted({subject.metric_name(metric) for metric in digest.metrics})
    what = f"{listed(names)} of {subject.source_name}"
    if not standing.rows:
        return f"Back to normal: {what}"
    side = side_words(next(iter(standing.sides))) if len(standing.sides) == 1 else "unusual"
    return f"{severity_word(standing.worst)}: {what} {'is' if len(names) == 1 else 'are'} {side}"


def anomaly(subject: Subject, report: Report, standing: Digest, over: Digest) -> list[str]:
    """How many of how many, when; and how many are over."""
    total = plural(report.counts.get("series", 0), "series", "series")
    said = []
    if standing.latest is not None:
        are = "is" if standing.series == 1 else "are"
        when = subject.day(standing.latest.ts_ms, standing.latest.metric)
        said.append(f"{standing.series:,} of {total} {are} unusual, most recently on {when}.")
    if over.rows:
        verb = "that was unusual is" if over.series == 1 else "that were unusual are"
        said.append(f"{plural(over.series, 'series', 'series')} {verb} back to normal.")
    return said


def withdrawn_title(subject: Subject, count: int) -> str:
    """How much is withdrawn."""
    return f"Withdrawn: {plural(count, 'anomaly', 'anomalies')} reported for {subject.source_name}"


def withdrawn(by_data: int, by_rule: int) -> list[str]:
    """Why what was reported does not hold."""
    said = []
    if by_data:
        one = by_data == 1
        whose = "Its" if one else "Their"
        said.append(
            f"{whose} data was corrected after {'it was' if one else 'they were'} reported."
        )
    if by_rule:
        more = "more " if by_data else ""
        count = plural(by_rule, f"{more}anomaly", f"{more}anomalies")
        are = "is" if by_rule == 1 else "are"
        said.append(f"{count} {are} normal by the rule's new settings; the data did not change.")
    return said


def of_run(
    subject: Subject, event: str, report: Report | None, error: str
) -> tuple[str, list[str]]:
    """Title and sentences of a message about the run itself."""
    what = f"{subject.run.rule or 'a detection'} of {subject.source_name}"
    if report is None:
        error_said = [_sentence(error)] if error else []
        if event == "started":
            return f"Started: {what}", [_looks_at(subject)]
        return f"Failed: {what} could not be checked", [*error_said, _STILL_STANDS]
    words = {"no_data": _no_data, "succeeded": _succeeded, "partial": _partial, "failed": _failed}
    return words[event](subject, what, report, error)


def _looks_at(subject: Subject) -> str:
    names = [subject.metric_name(metric) for metric in subject.request.metrics]
    looked = range_text(subject.request.start_ms, subject.request.end_ms, subject.timezone)
    return f"It looks at {listed(names)}, {looked}."


def _no_data(subject: Subject, what: str, report: Report, error: str) -> tuple[str, list[str]]:
    absent = report.counts.get("series_without_points", 0)
    missing = report.counts.get("no_data", 0)
    total = plural(report.counts.get("series", 0), "series", "series")
    points = f"{plural(missing, 'expected point')} {'is' if missing == 1 else 'are'} missing"
    looked = range_text(subject.request.start_ms, subject.request.end_ms, subject.timezone)
    have = "has" if absent == 1 else "have"
    said = [f"{absent:,} of {total} {have} no data for {looked}."] if absent else []
    if missing:
        said.append(f"In all {points}." if absent else f"{points}, {looked}.")
    said.append(f"Missing data was not judged. {_STILL_STANDS}")
    head = f"{absent:,} of {total} of {subject.source_name}" if absent else f"{points}, {what}"
    return f"No data: {head}", said


def _succeeded(subject: Subject, what: str, report: Report, error: str) -> tuple[str, list[str]]:
    found = report.counts.get("anomalous", 0)
    title = f"Checked: {what}, {_found(found)}"
    return title, [_judged(report), *_rest(report, subject)]


def _partial(subject: Subject, what: str, report: Report, error: str) -> tuple[str, list[str]]:
    judged = report.counts.get("judged", 0)
    title = f"Partly checked: {what}" if judged else f"Not checked: {what}"
    found = f"{_judged(report)[:-1]}; {_found(report.counts.get('anomalous', 0))}."
    said = [found] if judged else []
    return title, [*said, *([_sentence(error)] if error else []), *_rest(report, subject, error)]


def _failed(subject: Subject, what: str, report: Report, error: str) -> tuple[str, list[str]]:
    changed = any(report.counts.get(name, 0) for name in ("new", "changed", "withdrawn"))
    said = [_sentence(error)] if error else []
    if not changed:
        said.append(_STILL_STANDS)
    return f"Failed: {what} could not be checked", said


def _judged(report: Report) -> str:
    series = plural(report.counts.get("series", 0), "series", "series")
    judged = report.counts.get("judged", 0)
    return f"{plural(judged, 'point')} in {series} {'was' if judged == 1 else 'were'} checked."


def _found(count: int) -> str:
    return f"{plural(count, 'unusual point')}" if count else "nothing unusual"


def _rest(report: Report, subject: Subject, error: str = "") -> list[str]:
    """What was not judged, unless the error says so already."""
    text = str(not_judged(report, subject.timezone)["text"])
    return [text] if text and "too short a history" not in error else []


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."
