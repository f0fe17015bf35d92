"""Where and when: one lane for each series, and what the abnormal ones have in common."""

from collections.abc import Iterator

from markupsafe import Markup

from service.notifications.events import rank
from service.notifications.wording import date_text, plural
from service.report.facts import Card, ReportFacts, Share
from service.report.markup import fill, joined
from service.report.ticks import time_ticks
from storage.index import Anomaly

_SLOTS = 96
_HEIGHTS = {"critical": 16, "major": 11, "warning": 6}
_LANE = 16


def overview_section(facts: ReportFacts) -> Markup:
    """Nothing where nothing is abnormal."""
    if facts.calm or not facts.cards:
        return Markup()
    alone = len(facts.cards) == 1
    lanes = Markup() if alone else _lanes(facts)
    common = _common(facts)
    if not lanes and not common:
        return Markup()
    return fill("<section><h2>Where and when</h2>{}{}</section>", lanes, common)


def _lanes(facts: ReportFacts) -> Markup:
    return fill(
        '<div class="lanes">{}{}</div>',
        joined(_lane(facts, card) for card in facts.cards),
        _dates(facts),
    )


def _lane(facts: ReportFacts, card: Card) -> Markup:
    found = card.series.found
    words = plural(len(found), "point") if found else "withdrawn"
    labels = " ".join(value for _, value in sorted(card.series.labels.items()))
    return fill(
        '<a href="#s-{}"><span class="name"><bdi>{}</bdi> <b><bdi>{}</bdi></b></span>'
        '<svg width="100%" height="{}" aria-hidden="true"><rect class="rail" width="100%" '
        'height="{}"/>{}</svg><span class="count">{}</span></a>',
        card.series.id,
        card.look.name,
        labels,
        _LANE,
        _LANE,
        joined(_cells(facts, card)),
        words,
    )


def _cells(facts: ReportFacts, card: Card) -> Iterator[Markup]:
    """The worst of each slot; higher is worse, for who cannot tell the colours."""
    start_ms, end_ms = facts.request.start_ms, facts.request.end_ms
    step_ms = card.look.step_ms or 1
    slots = min(_SLOTS, max(1, (end_ms - start_ms) // step_ms))
    worst: dict[int, Anomaly] = {}
    for anomaly in card.series.found:
        slot = (anomaly.ts_ms - start_ms) * slots // (end_ms - start_ms)
        if slot not in worst or rank(anomaly.severity) > rank(worst[slot].severity):
            worst[slot] = anomaly
    for slot, anomaly in sorted(worst.items()):
        height = _HEIGHTS[anomaly.severity]
        yield fill(
            '<rect class="{}" x="{:.2f}%" y="{}" width="{:.2f}%" height="{}">'
            "<title>{}</title></rect>",
            anomaly.severity,
            slot / slots * 100,
            _LANE - height,
            max(0.6, 100 / slots - 0.3),
            height,
            date_text(anomaly.ts_ms, facts.timezone, card.look.step_ms),
        )


def _dates(facts: ReportFacts) -> Markup:
    start_ms, end_ms = facts.request.start_ms, facts.request.end_ms
    ticks = time_ticks(start_ms, end_ms, facts.timezone, 7)
    texts = []
    for number, (time_ms, text) in enumerate(ticks):
        share = (time_ms - start_ms) / (end_ms - start_ms) * 100
        if share < 92:
            wide = " wide" if len(ticks) > 4 and number % 2 else ""
            texts.append(
                fill('<text class="tick{}" x="{:.2f}%" y="12">{}</text>', wide, share, text)
            )
    return fill(
        '<div class="dates" aria-hidden="true"><span></span><svg width="100%" height="16">{}</svg>'
        "<span></span></div>",
        joined(texts),
    )


def _common(facts: ReportFacts) -> Markup:
    if not facts.shares:
        return Markup()
    return fill(
        '<h3>What unusual series have in common</h3><ul class="shares">{}</ul>',
        joined(_share(share, len(facts.ranking.standing)) for share in facts.shares),
    )


def _share(share: Share, abnormal: int) -> Markup:
    of = share.total if share.total is not None else abnormal
    words = "series with it are unusual" if share.total is not None else "unusual series have it"
    return fill(
        '<li><span class="chip"><bdi>{}</bdi> <b><bdi>{}</bdi></b></span>'
        '<svg class="bar" width="100%" height="10" aria-hidden="true"><rect class="rail" '
        'width="100%" height="10"/><rect class="fill" width="{:.1f}%" height="10"/></svg>'
        "<span>{} of {} {}</span></li>",
        share.label,
        share.value,
        share.abnormal / of * 100,
        f"{share.abnormal:,}",
        f"{of:,}",
        words,
    )
