"""The page of a report: well formed, harmless, and readable."""

import re
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import Series, Window
from service.clock import DAY_MS
from service.report.facts import BandCurve, Card, Curve, Lacking, ReportFacts
from service.report.markup import clean
from service.report.page import POLICY, page
from service.report.rank import rank_series
from tests.service.report.parsed import Parsed
from tests.service.report.samples import (
    END_MS,
    START_MS,
    Names,
    anomaly,
    card,
    delivery,
    facts,
    in_state,
    many,
)

NASTY = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</style></title><svg onload=alert(1)>",
    "{0} {} {name} %s ${x}",
    "&lt;b&gt; &amp; &#60; &",
    "javascript:alert(1)",
    "]]><!-- --><?php ?>",
    "\u202egnp.exe\u202c \u0000\u0001\u001b[31m\r\n\t",
    "日本語 العربية 👩‍👩‍👧 e\u0301",
    "x" * 3000,
)

BLAND = Parsed(page(facts())).tags


def test_the_page_says_what_was_found_and_what_was_not() -> None:
    parsed = Parsed(page(facts()))
    for words in (
        "Critical: nDCG@10 of Ranking is unusually low",
        "Rule ranking-daily, Sun 1 Nov to Sat 7 Nov 2026 (Asia/Tokyo)",
        "3 unusual points in 2 of 42 series.",
        "The worst is nDCG@10 (region jp), Sat 7 Nov 2026: 0.31, where 0.4 to 0.44 was expected",
        "It was the 7th day since Sun 1 Nov.",
        "1 point was unusual and is normal by now, because the data changed.",
        "of 42 series unusual",
        "expected, people say",
        "we know",
        "Can be judged from",
        "Sun 8 Nov 2026",
        "sent Sun 8 Nov 2026 00:00",
        "held back: below min severity",
        "Each point is compared with the points of 28 days before it",
        "Only drops count.",
        "3 of 4 series with it are unusual",
    ):
        assert words in parsed.text, words
    assert "https://wiki.example.com/runbook" in parsed.addresses


def test_each_point_unfolds_why_it_is_unusual_in_the_words_of_an_explanation() -> None:
    whole = facts()
    detector = {"type": "window", "consecutive": 2, "direction": "down"}
    whole = replace(whole, request=replace(whole.request, detector=detector))
    found = [anomaly(2), anomaly(3, None, score=None), anomaly(4, status="withdrawn")]
    ranking = rank_series(found, complete=True)
    shown = replace(whole, ranking=ranking, cards=[card(ranking.series[0], whole.cards[0].look)])
    text = page(shown)
    assert text.count('<details class="why">') == 2 + _unjudged(text), "none for what is withdrawn"
    for words in (
        "Normal is what lies from 0.4 to 0.44; the value is 0.09 below that.",
        "Only drops count.",
        "A point counts from the 2nd in a row beyond the same bound on",
        "An anomaly, critical: it is 5.5 times as far from the expected value as the bound is.",
        "The last expected step is without data, which is a warning.",
    ):
        assert words in Parsed(text).text, words
    trace = Window(consecutive=2, direction="down").explain(
        Series(np.arange(30) * DAY_MS, [0.42 + 0.001 * (day % 2) for day in range(29)] + [0.31]),
        29 * DAY_MS,
    )
    assert "below that" in trace.step("bound").says
    assert trace.step("direction").says == "Only drops count."


def test_points_that_could_not_be_judged_unfold_why() -> None:
    text = page(facts())
    assert _unjudged(text) == 3, "too short, silent, with gaps"
    said = Parsed(text).text
    assert "had too few points before the ones that were looked at" in said
    assert "A step without data means nothing unless it is the last one expected." in said


def _unjudged(text: str) -> int:
    return text.partition("What was not judged")[2].count('<details class="why">')


def test_a_change_is_told_below_its_point() -> None:
    said = {
        "kind": "slope",
        "size": 0.25,
        "confidence": 0.9999,
        "earliest_ms": START_MS + 2 * DAY_MS,
        "latest_ms": START_MS + 2 * DAY_MS,
    }
    whole = facts()
    ranking = rank_series([anomaly(2, change=said)], complete=True)
    shown = replace(whole, ranking=ranking, cards=[card(ranking.series[0], whole.cards[0].look)])
    text = Parsed(page(shown)).text
    assert "slope rose by 0.25 a day on Tue 3 Nov 2026, more than 99.9 % sure" in text


def test_nothing_is_fetched_and_nothing_runs() -> None:
    text = page(facts())
    parsed = Parsed(text)
    assert POLICY.startswith("default-src 'none'")
    assert "script" not in POLICY
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style is not None
    assert "url(" not in style[1]
    assert "@import" not in style[1]
    away = [address for address in parsed.addresses if not address.startswith("#")]
    assert away == ["https://wiki.example.com/runbook"], "the owner's own link only"
    inside = {address[1:] for address in parsed.addresses if address.startswith("#")}
    assert inside <= set(parsed.ids), "every link within the page leads somewhere"


@pytest.mark.parametrize("nasty", NASTY, ids=range(len(NASTY)))
def test_names_change_texts_and_no_tags(nasty: str) -> None:
    named = Names(**{field.name: nasty for field in fields(Names) if field.name != "link"})
    assert Parsed(page(facts(named))).tags == BLAND
    linked = Parsed(page(facts(Names(link=nasty))))
    assert nasty not in linked.addresses, "only http and https are links"


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


@settings(max_examples=25, deadline=None)
@given(st.fixed_dictionaries({f.name: texts for f in fields(Names) if f.name != "link"}))
def test_any_names_at_all(names: dict[str, Any]) -> None:
    given_names = Names(**names)
    parsed = Parsed(page(facts(given_names)))
    assert parsed.tags == BLAND
    shown = " ".join(clean(given_names.channel).split())
    assert shown in parsed.text


@pytest.mark.parametrize(
    ("state", "more", "words"),
    [
        ("queued", {}, "Waiting to be checked: nDCG@10 of Ranking"),
        ("running", {"progress": {"stage": "plan"}}, "Reading the series"),
        (
            "running",
            {"progress": {"stage": "detect", "chunks": 40, "chunks_done": 12}},
            "Judging the series: 12 of 40 parts are done",
        ),
        ("publishing", {"progress": {"stage": "publish"}}, "Writing what was found"),
        ("failed", {"error": "the table is gone"}, "Could not be checked: nDCG@10 of Ranking"),
        ("cancelled", {}, "Cancelled: nDCG@10 of Ranking"),
        ("partial", {"error": "nothing matched"}, "Could not be judged: nDCG@10 of Ranking"),
    ],
)
def test_each_state_says_what_it_is(state: str, more: dict[str, Any], words: str) -> None:
    shown = in_state(state, **more)
    parsed = Parsed(page(shown))
    assert words in parsed.text
    assert more.get("error", "") in parsed.text
    refreshes = "refresh" in parsed.values("meta", "http-equiv")
    assert refreshes == (not shown.run.ended)


def test_a_queue_is_counted() -> None:
    waiting = replace(in_state("queued"), ahead=3)
    assert "3 runs are before it." in Parsed(page(waiting)).text


def test_nothing_unusual_is_said_plainly() -> None:
    sample = facts()
    calm = rank_series([])
    run = replace(sample.run, state="succeeded", error="")
    shown = replace(sample, run=run, ranking=calm, calm=True, lacking=Lacking(), shares=())
    series = replace(sample.ranking.series[0], anomalies=[])
    shown = replace(shown, cards=[card(series, sample.cards[0].look)])
    text = Parsed(page(shown)).text
    assert "As expected: nDCG@10 of Ranking" in text
    assert "280 points of 42 series were judged, and none is unusual." in text
    assert "A look at some of the series" in text


def test_what_people_settled_is_no_alarm() -> None:
    settled = [replace(one, verdict="false") for s in facts().ranking.series for one in s.anomalies]
    shown = replace(facts(), ranking=rank_series(settled))
    assert "Looked at and settled: nDCG@10 of Ranking" in Parsed(page(shown)).text


def test_colour_is_never_alone() -> None:
    """Each mark has a shape of its own severity, and its row has the word."""
    text = page(facts())
    for severity in ("critical", "major", "warning", "withdrawn"):
        assert f'id="m-{severity}"' in text
        assert re.search(rf'<use class="{severity}" href="#m-{severity}" x="[0-9.]+%"', text)
    words = Parsed(text).text
    assert all(word in words for word in ("Critical", "Major", "Warning", "Withdrawn"))


def test_pictures_are_described() -> None:
    labels = Parsed(page(facts())).values("svg", "aria-label")
    assert len(labels) == 2
    assert "2 abnormal, listed below" in labels[0]


def test_pages_keep_the_key_of_the_link() -> None:
    shown = replace(facts(), page=2, pages=3, query="key=1.x%26y")
    addresses = Parsed(page(shown)).addresses
    assert "?page=1&key=1.x%26y" in addresses
    assert "?page=3&key=1.x%26y" in addresses


def _large() -> ReportFacts:
    """Twenty series of 1,000 anomalies and as many points each: more would not be drawn."""
    sample, minutes = facts(), many(1000)
    found = [
        replace(one, series=f"{number:032x}", id=f"{number:x}-{one.ts_ms}")
        for number in range(20)
        for one in minutes
    ]
    ranking = rank_series(found)
    times = np.array([one.ts_ms for one in minutes], np.int64)
    points = Curve(times, 0.3 + 0.1 * (np.arange(1000.0) % 7))
    band = BandCurve(times, points.values, points.values - 0.1, points.values + 0.1)
    look = replace(sample.cards[0].look, step_ms=60_000)
    cards = [Card(one, look, START_MS, points, band) for one in ranking.series]
    return replace(sample, ranking=ranking, cards=cards)


def test_many_anomalies_stay_below_the_limit() -> None:
    text = page(_large())
    assert len(text.encode()) < 1_500_000
    parsed = Parsed(text)
    assert "20,000" in parsed.text
    assert "The 12 worst of 1,000 points are listed." in parsed.text


def test_a_year_is_named_where_it_matters() -> None:
    assert "Sat 7 Nov 2026 7th day" not in Parsed(page(facts())).text
    next_year = replace(facts(), now_ms=END_MS + 200 * DAY_MS)
    assert "Sat 7 Nov 2026 7th day" in Parsed(page(next_year)).text


def test_messages_are_told_in_words_and_in_their_state() -> None:
    sample = facts()
    sent = {"event": "anomaly", "delivery": "msg_1", "count": 3, "text": "3 anomalies"}
    run_event = {"event": "partial", "delivery": "msg_2", "count": 1, "text": "the run's partial"}
    held = {
        "event": "anomaly",
        "why": "below_min_severity",
        "count": 2,
        "text": "2 anomalies: less severe than major, the least that the request wants told",
    }
    quiet = {"event": "succeeded", "why": "not_asked_for", "count": 1, "text": "nobody asked"}
    notified = {"slack-ml": {"sent": [sent, run_event], "held": [held, quiet]}, "calm": {}}
    shown = replace(
        sample,
        run=replace(sample.run, notified=notified),
        deliveries=[*sample.deliveries, delivery(Names(), id="msg_2", state="dead", attempts=9)],
    )
    text = Parsed(page(shown)).text
    for words in (
        "slack-ml 3 anomalies sent Sun 8 Nov 2026 00:00",
        "slack-ml the run's partial could not be delivered after 9 tries",
        "2 unusual points held back: less severe than major, the least",
        "the run: succeeded held back: nobody asked",
        "calm nothing to tell",
    ):
        assert words in text, words
