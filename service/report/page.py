"""The whole page of a report: facts in, HTML out."""

from functools import cache
from importlib.resources import files

from markupsafe import Markup

from service.notifications.wording import date_text, range_text
from service.report.about import about_section
from service.report.cards import cards_section
from service.report.chart import MARKS
from service.report.facts import ReportFacts
from service.report.markup import fill, joined
from service.report.overview import overview_section
from service.report.summary import headline, sentences, since_words, subtitle, tiles
from service.report.told import told_section
from service.report.unjudged import unjudged_section
from service.version import VERSION

# Nothing is fetched and nothing runs: what a name smuggles in stays text.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_META_POLICY = POLICY.partition("; frame-ancestors")[0]  # a page cannot say that of itself
_REFRESH_SECONDS = 5
_SIGNS = {
    "fine": "M-6 0L-2 5L6 -5",
    "failed": "M-5 -5L5 5M-5 5L5 -5",
    "unknown": "M-3 -3Q-3 -6 0 -6T3 -3Q3 -1 0 1V2M0 5.5V6",
    "waiting": "M0 -6V0L4 3",
}


def page(facts: ReportFacts) -> str:
    """One HTML document that needs nothing but itself."""
    found = headline(facts)
    days = range_text(facts.request.start_ms, facts.request.end_ms, facts.timezone)
    refresh = ""
    if not facts.run.ended:
        refresh = fill('<meta http-equiv="refresh" content="{}">', _REFRESH_SECONDS)
    body = joined(
        (
            _top(facts),
            overview_section(facts),
            cards_section(facts),
            unjudged_section(facts),
            told_section(facts),
            about_section(facts),
        )
    )
    return _document(
        f"{found.text}, {days}", fill("<main>{}</main>{}", body, _foot(facts)), refresh
    )


def refusal(title: str, detail: str) -> str:
    """What a person sees whose link does not open its report."""
    detail = detail[:1].upper() + detail[1:]
    body = fill(
        '<main><header class="top unknown"><p class="eyebrow">Anomaly report</p><h1>{}{}</h1>'
        "<p>{}.</p></header></main>",
        _sign("unknown"),
        title,
        detail,
    )
    return _document(title, body)


def _document(title: str, body: Markup, refresh: Markup | str = "") -> str:
    return str(
        fill(
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            '<meta http-equiv="Content-Security-Policy" content="{}">'
            '<meta name="referrer" content="no-referrer"><meta name="robots" content="noindex">'
            '<meta name="color-scheme" content="light dark">{}<title>{}</title>'
            "<style>{}</style></head><body>{}{}</body></html>\n",
            _META_POLICY,
            refresh,
            title,
            _style(),
            MARKS,
            body,
        )
    )


@cache
def _style() -> Markup:
    text = files("service.report").joinpath("report.css").read_text("utf-8")
    return Markup(text)  # noqa: S704 - a file of ours


def _top(facts: ReportFacts) -> Markup:
    found = headline(facts)
    return fill(
        '<header class="top {}"><p class="eyebrow">Anomaly report</p><h1>{}{}</h1>'
        '<p class="subtitle">{}</p>{}{}{}{}</header>',
        found.kind,
        _sign(found.kind),
        found.text,
        subtitle(facts),
        joined(fill("<p>{}</p>", sentence) for sentence in sentences(facts)),
        _progress(facts),
        _later(facts),
        _tiles(facts),
    )


def _sign(kind: str) -> Markup:
    shape = fill('<use class="{0}" href="#m-{0}"/>', kind)
    if kind in _SIGNS:
        shape = fill('<path class="stroke" d="{}"/>', _SIGNS[kind])
    return fill('<svg class="sign" viewBox="-9 -9 18 18" aria-hidden="true">{}</svg>', shape)


def _progress(facts: ReportFacts) -> Markup:
    run = facts.run
    if run.ended or run.state == "queued":
        return Markup()
    progress = run.progress or {}
    chunks, done = progress.get("chunks"), progress.get("chunks_done", 0)
    stage = str(progress.get("stage") or "")
    words = {
        "plan": "Reading the series",
        "detect": "Judging the series",
        "publish": "Writing what was found",
    }.get(stage, "Starting")
    if not chunks:
        return fill('<p><progress aria-label="{0}"></progress> {0}</p>', words)
    return fill(
        '<p><progress aria-label="{0}" max="{1}" value="{2}"></progress> {0}: {2} of {1} parts '
        "are done</p>",
        words,
        chunks,
        done,
    )


def _later(facts: ReportFacts) -> Markup:
    """That the page may know more than the run did."""
    newer = facts.newer
    if newer is None or not facts.run.ended:
        return Markup()
    when = since_words(newer.accepted_ms, facts.now_ms, facts.timezone)
    return fill(
        '<p class="note">A newer run of this rule was asked for {}. Values and verdicts below are '
        "those of now.</p>",
        when,
    )


def _tiles(facts: ReportFacts) -> Markup:
    items = [
        fill('<div class="{}"><dt>{}</dt><dd>{}</dd></div>', tile.kind, tile.words, tile.number)
        for tile in tiles(facts)
    ]
    return fill('<dl class="tiles">{}</dl>', joined(items)) if items else Markup()


def _foot(facts: ReportFacts) -> Markup:
    return fill(
        "<footer><p>As it stood on {}{}. Made by Lupus {}; the page needs nothing but itself and "
        "can be saved and printed.</p></footer>",
        date_text(facts.now_ms, facts.timezone, 1),
        "" if facts.timezone == "UTC" else f" ({facts.timezone})",
        VERSION,
    )
