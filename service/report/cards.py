"""One series on the page: its name, its chart, and its anomalies in a table."""

import heapq
from collections.abc import Iterator

import numpy as np
from markupsafe import Markup

from service.notifications.change_words import change_sentence
from service.notifications.wording import date_text, local, plural, severity_word
from service.report.chart import chart
from service.report.facts import Card, ReportFacts
from service.report.markup import fill, joined
from service.report.rank import badness
from service.report.text import change_words, day_words, expected_words, range_words, value_text
from service.report.why import why_anomaly
from storage.index import Anomaly
from workflows.reconcile import differs

MOST_ROWS = 12
_LONGEST_COMMENT = 1_000
_VERDICTS = {
    "acknowledged": "seen by people",
    "expected": "expected, people say",
    "false": "a false alarm, people say",
}
_CAUSES = {
    "data": "the data changed",
    "rule": "the rule's parameters changed",
    "baseline": "what is expected changed",
}


def cards_section(facts: ReportFacts) -> Markup:
    """All cards of this page of the report."""
    if not facts.cards:
        return Markup()
    title = "A look at some of the series" if facts.calm else "Series, the worst first"
    return fill(
        "<section><h2>{}</h2>{}{}{}</section>",
        title,
        LEGEND,
        joined(_card(facts, card) for card in facts.cards),
        _pages(facts),
    )


_SAMPLES = {
    "value": Markup('<path class="value" d="M0 8H22"/>'),
    "expected": Markup('<path class="expected" d="M0 8H22"/>'),
    "band": Markup('<rect class="band" y="2" width="22" height="12"/>'),
    "release": Markup('<g class="release"><line x1="11" x2="11" y1="0" y2="16"/></g>'),
    "now": Markup('<rect class="now" width="22" height="16"/>'),
}


def _item(kind: str, words: str) -> Markup:
    mark = fill('<use class="{0}" href="#m-{0}" x="11" y="8"/>', kind)
    return fill(
        '<li><svg width="22" height="16" aria-hidden="true">{}</svg>{}</li>',
        _SAMPLES.get(kind, mark),
        words,
    )


LEGEND = fill(
    '<ul class="legend">{}</ul>',
    joined(
        _item(kind, words)
        for kind, words in (
            ("value", "value"),
            ("band", "expected range"),
            ("expected", "expected value"),
            ("critical", "critical"),
            ("major", "major"),
            ("warning", "warning"),
            ("withdrawn", "withdrawn"),
            ("missing", "no data"),
            ("release", "release"),
            ("now", "looked at by this run"),
        )
    ),
)


def labels_html(card: Card) -> Markup:
    """Labels as chips."""
    return joined(
        fill('<span class="chip"><bdi>{}</bdi> <b><bdi>{}</bdi></b></span>', name, value)
        for name, value in sorted(card.series.labels.items())
    )


def _card(facts: ReportFacts, card: Card) -> Markup:
    request = facts.request
    return fill(
        '<article class="card" id="s-{}"><header><h3><bdi>{}</bdi></h3>{}<p class="chips">{}</p>'
        "</header>{}{}</article>",
        card.series.id,
        card.look.name,
        _badge(card),
        labels_html(card),
        chart(card, request.start_ms, request.end_ms, facts.timezone),
        _table(facts, card),
    )


def _badge(card: Card) -> Markup:
    anomalies = card.series.anomalies
    if not anomalies:
        return Markup('<p class="badge fine">as expected</p>')
    found = len(card.series.found)
    if not found:
        return fill('<p class="badge none">{} withdrawn</p>', plural(len(anomalies), "point"))
    worst = card.series.worst.severity
    return fill(
        '<p class="badge {}">{} {}</p>',
        worst,
        sign(worst),
        f"{severity_word(worst)}, {plural(found, 'point')}",
    )


def sign(kind: str) -> Markup:
    """The shape of a severity, to stand before its word."""
    return fill(
        '<svg class="sign" viewBox="-9 -9 18 18" aria-hidden="true">'
        '<use class="{0}" href="#m-{0}"/></svg>',
        kind,
    )


def _table(facts: ReportFacts, card: Card) -> Markup:
    anomalies = card.series.anomalies
    if not anomalies:
        return Markup()
    shown = heapq.nlargest(MOST_ROWS, anomalies, key=lambda a: (a.status == "found", badness(a)))
    shown.sort(key=lambda anomaly: anomaly.ts_ms, reverse=True)
    more = len(anomalies) - len(shown)
    note = (
        fill(
            '<p class="note">The {} worst of {} points are listed.</p>',
            len(shown),
            f"{len(anomalies):,}",
        )
        if more
        else Markup()
    )
    return fill(
        '<table><caption>Unusual points of {}</caption><thead><tr><th scope="col">When</th>'
        '<th scope="col" class="n">Value</th><th scope="col" class="n">Expected</th>'
        '<th scope="col">Severity</th></tr></thead><tbody>{}</tbody></table>{}',
        card.series.name,
        joined(row for anomaly in shown for row in _rows(facts, card, anomaly)),
        note,
    )


def _rows(facts: ReportFacts, card: Card, anomaly: Anomaly) -> Iterator[Markup]:
    timezone, look = facts.timezone, card.look
    gone = anomaly.status == "withdrawn"
    yield fill(
        '<tr id="a-{}"{}><td><time datetime="{}">{}</time>{}</td><td class="n">{}{}</td>'
        '<td class="n">{}{}</td><td>{}{}{}</td></tr>',
        anomaly.id,
        Markup(' class="withdrawn"') if gone else "",
        local(anomaly.ts_ms, timezone).isoformat(),
        _struck(_day(facts, anomaly.ts_ms, look.step_ms), gone),
        _small(day_words(anomaly, timezone)),
        _struck(value_text(anomaly.value, look), gone),
        joined((_small(change_words(anomaly)), _small(_now(card, anomaly)))),
        range_words(anomaly, look) or "\N{EN DASH}",
        _small(expected_words(anomaly, look)),
        _severity(anomaly),
        _small(_verdict(facts, anomaly)),
        why_anomaly(anomaly, facts.request.detector, look),
    )
    if anomaly.change is not None:
        words = change_sentence(
            anomaly.change, anomaly.ts_ms, timezone, look.pattern, look.unit, look.step_ms
        )
        yield fill('<tr class="said"><td colspan="4">{}</td></tr>', words)
    if anomaly.comment:
        text = anomaly.comment
        text = text if len(text) <= _LONGEST_COMMENT else f"{text[:_LONGEST_COMMENT]}…"
        yield fill('<tr class="said"><td colspan="4"><q><bdi>{}</bdi></q></td></tr>', text)


def _now(card: Card, anomaly: Anomaly) -> str:
    """That the point was written again since it was judged: the chart shows what it is now."""
    times = card.points.ts_ms
    row = int(np.searchsorted(times, anomaly.ts_ms))
    if row == len(times) or times[row] != anomaly.ts_ms:
        return ""
    value = float(card.points.values[row])
    return f"by now {value_text(value, card.look)}" if differs(anomaly.value, value) else ""


def _day(facts: ReportFacts, time_ms: int, step_ms: int | None) -> str:
    """Without the year where the head of the page says which one it is."""
    years = {local(at, facts.timezone).year for at in (facts.request.start_ms, facts.now_ms)}
    return date_text(time_ms, facts.timezone, step_ms, year=len(years) > 1)


def _struck(text: str, gone: bool) -> Markup:
    return fill("<s>{}</s>" if gone else "{}", text)


def _small(text: str) -> Markup:
    return fill("<small>{}</small>", text) if text else Markup()


def _severity(anomaly: Anomaly) -> Markup:
    if anomaly.status == "withdrawn":
        why = (
            "the point was removed"
            if anomaly.reason == "point_removed"
            else _CAUSES.get(anomaly.cause or "", "")
        )
        return fill('<span class="word none">{}Withdrawn</span>{}', sign("withdrawn"), _small(why))
    return fill(
        '<span class="word {}">{}{}</span>',
        anomaly.severity,
        sign(anomaly.severity),
        severity_word(anomaly.severity),
    )


def _verdict(facts: ReportFacts, anomaly: Anomaly) -> str:
    words = _VERDICTS.get(anomaly.verdict, "")
    if words and anomaly.verdict_at_ms is not None:
        words += f", {date_text(anomaly.verdict_at_ms, facts.timezone, None, year=False)}"
    return words


def _pages(facts: ReportFacts) -> Markup:
    if facts.pages == 1:
        return Markup()
    places: list[Markup] = []
    for number, words in ((facts.page - 1, "Worse series"), (facts.page + 1, "Next series")):
        if 1 <= number <= facts.pages:
            query = f"?page={number}" + (f"&{facts.query}" if facts.query else "")
            places.append(fill('<a href="{}">{}</a>', query, words))
    return fill(
        '<nav class="pages" aria-label="Pages">{}<span>Page {} of {}</span></nav>',
        joined(places),
        facts.page,
        facts.pages,
    )
