"""What was not judged, why, and when it will be."""

from collections.abc import Iterator

from markupsafe import Markup

from service.notifications.not_judged import not_judged
from service.notifications.wording import date_text, plural
from service.report.facts import Lack, LackingSeries, ReportFacts
from service.report.markup import fill, joined
from service.report.why import why_missing, why_short
from workflows.report import Report

_MOST_ERRORS = 5
_MOST_NAMES = 8
_LONGEST_ERROR = 500


def unjudged_section(facts: ReportFacts) -> Markup:
    """Nothing where everything was judged."""
    report = facts.report
    if report is None:
        return Markup()
    text = str(not_judged(report, facts.timezone)["text"])
    parts = list(_parts(facts, report))
    if not text and not parts:
        return Markup()
    # Where the series are named, numbers alone say nothing more.
    lead = fill("<p>{}</p>", text) if text and facts.lacking.unread else Markup()
    return fill("<section><h2>What was not judged</h2>{}{}</section>", lead, joined(parts))


def _parts(facts: ReportFacts, report: Report) -> Iterator[Markup]:
    lacking = facts.lacking
    if lacking.short.count:
        rows = [(one.name, _ready(one, facts.timezone)) for one in lacking.short.series]
        yield _group("Too short a history", "can be judged from", lacking.short, rows)
        yield Markup('<p class="note">If points keep arriving as they did.</p>')
        yield why_short()
    if lacking.absent.count:
        rows = [(one.name, "") for one in lacking.absent.series]
        yield _group("Sent no data", "", lacking.absent, rows)
        yield why_missing(facts.request.detector)
    if lacking.gaps.count:
        yield _gaps(lacking.gaps, report.counts.get("series", 0))
        yield why_missing(facts.request.detector)
    if lacking.failed.count:
        yield _failed(
            [(one.name, one.error or "") for one in lacking.failed.series], lacking.failed.count
        )
    elif report.failures:
        failures = [(one.name, one.error) for one in report.failures]
        yield _failed(failures, report.counts.get("failed", len(failures)))
    if unverified := report.counts.get("unverified", 0):
        were = "was" if unverified == 1 else "were"
        points = plural(unverified, "unusual point")
        yield fill(
            "<p>{} of earlier runs {} left as found: this run could not judge them again.</p>",
            points,
            were,
        )
    lacks = any(report.counts.get(name, 0) for name in ("no_data", "insufficient_history"))
    if lacking.unread and lacks:
        yield fill('<p class="note">{}</p>', lacking.unread)


def _ready(one: LackingSeries, timezone: str) -> str:
    return "" if one.ready_at_ms is None else date_text(one.ready_at_ms, timezone, None)


def _gaps(gaps: Lack, total: int) -> Markup:
    """Where every series lacks points, naming some tells nothing."""
    most = max(one.missing for one in gaps.series)
    if gaps.count == total > 1:
        text = f"All {total:,} series lack points, up to {most:,} each."
        return fill("<h3>Points missing</h3><p>{}</p>", text)
    rows = [(one.name, plural(one.missing, "point")) for one in gaps.series[:_MOST_NAMES]]
    return _group("Points missing", "missing", gaps, rows)


def _group(title: str, column: str, lack: Lack, rows: list[tuple[str, str]]) -> Markup:
    more = lack.count - len(rows)
    note = fill('<p class="note">And {} more.</p>', f"{more:,}") if more > 0 else Markup()
    if not column:
        body = fill(
            '<ul class="names">{}</ul>',
            joined(fill("<li><bdi>{}</bdi></li>", name) for name, _ in rows),
        )
    else:
        body = fill(
            '<table><caption>{}</caption><thead><tr><th scope="col">Series</th>'
            '<th scope="col">{}</th></tr></thead><tbody>{}</tbody></table>',
            title,
            column.capitalize(),
            joined(
                fill("<tr><td><bdi>{}</bdi></td><td>{}</td></tr>", name, text)
                for name, text in rows
            ),
        )
    return fill("<h3>{}: {}</h3>{}{}", title, plural(lack.count, "series", "series"), body, note)


def _failed(failures: list[tuple[str, str]], count: int) -> Markup:
    """Series with the same error together."""
    by_error: dict[str, list[str]] = {}
    for name, error in failures:
        by_error.setdefault(error, []).append(name)
    ordered = sorted(by_error.items(), key=lambda item: -len(item[1]))
    items = [
        fill(
            "<li><p>{}</p>{}</li>",
            error[:_LONGEST_ERROR],
            joined((fill("<bdi>{}</bdi>", name) for name in names[:_MOST_NAMES]), ", "),
        )
        for error, names in ordered[:_MOST_ERRORS]
    ]
    return fill(
        '<h3>Failed: {}</h3><ul class="errors">{}</ul>',
        plural(count, "series", "series"),
        joined(items),
    )
