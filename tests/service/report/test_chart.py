"""The picture of a series: everything within, gaps broken, extremes kept."""

import re
from dataclasses import replace

import numpy as np

from service.clock import DAY_MS
from service.report.chart import HEIGHT, MOST_MARKS, TOP, chart
from service.report.facts import BandCurve, Card, Curve
from service.report.rank import RankedSeries, rank_series
from tests.service.report.parsed import Parsed
from tests.service.report.samples import END_MS, START_MS, anomaly, card, facts, many


def drawn(shown: Card) -> str:
    text = str(chart(shown, START_MS, END_MS, "Asia/Tokyo"))
    Parsed(f"<!doctype html>{text}")
    return text


def path(text: str, kind: str) -> str:
    found = re.search(rf'<path class="{kind}" d="([^"]*)"', text)
    return found[1] if found else ""


def ys(data: str) -> list[float]:
    return [float(y) for _, y in re.findall(r"[ML](-?[0-9.]+) (-?[0-9.]+)", data)]


def bare() -> Card:
    """No anomalies: the points and the band alone."""
    sample = facts().cards[0]
    return card(RankedSeries("s", "ndcg@10", {}), sample.look)


def test_band_line_and_marks_lie_within_the_picture() -> None:
    text = drawn(facts().cards[0])
    for kind in ("band", "value", "expected"):
        assert ys(path(text, kind))
        assert all(0 <= y <= HEIGHT for y in ys(path(text, kind)))
    marks = re.findall(r'<use class="(\w+)" href="#m-\w+" x="([0-9.]+)%" y="([0-9.]+)"', text)
    assert [kind for kind, _, _ in marks if kind != "missing"] == [
        "withdrawn",
        "warning",
        "critical",
    ]
    assert all(0 <= float(x) <= 100 and TOP <= float(y) <= TOP + HEIGHT for _, x, y in marks)


def test_a_wide_band_is_seen_whole() -> None:
    shown = bare()
    wide = replace(shown.band, lower=shown.band.lower - 50, upper=shown.band.upper + 50)
    heights = ys(path(drawn(replace(shown, band=wide)), "band"))
    assert 0 < min(heights) < max(heights) < HEIGHT
    assert max(heights) - min(heights) > 0.8 * HEIGHT


def test_one_bound_lets_the_band_reach_the_edge() -> None:
    shown = bare()
    none = np.full(len(shown.band.ts_ms), np.nan)
    low = drawn(replace(shown, band=replace(shown.band, upper=none)))
    assert min(ys(path(low, "band"))) == 0
    assert max(ys(path(low, "band"))) < HEIGHT
    assert path(low, "bound")
    high = drawn(replace(shown, band=replace(shown.band, lower=none)))
    assert max(ys(path(high, "band"))) == HEIGHT


def test_the_line_breaks_where_points_are_missing() -> None:
    shown = bare()
    assert path(drawn(shown), "value").count("M") == 2, "one day is missing"
    assert drawn(shown).count('href="#m-missing"') == 1
    assert "Mon 2 Nov 2026: no data" in drawn(shown)
    kept = np.arange(len(shown.points.ts_ms)) % 7 != 3
    holes = Curve(shown.points.ts_ms[kept], shown.points.values[kept])
    assert path(drawn(replace(shown, points=holes)), "value").count("M") > 4


def test_a_lonely_point_is_a_dot_also_among_many() -> None:
    times = START_MS + np.append(np.arange(3_000), 5_000).astype(np.int64) * 60_000
    look = replace(bare().look, step_ms=60_000)
    shown = Card(bare().series, look, START_MS, Curve(times, np.sin(times / 1e6)), BandCurve())
    assert path(drawn(shown), "dots").count("M") == 1


def test_extremes_survive_when_points_are_many() -> None:
    count = 100_000
    times = START_MS + np.arange(count, dtype=np.int64) * 6_000
    values = np.zeros(count)
    values[54_321], values[12_345] = 7.0, -7.0
    look = replace(bare().look, step_ms=6_000)
    text = drawn(Card(bare().series, look, START_MS, Curve(times, values), BandCurve()))
    heights = ys(path(text, "value"))
    assert len(text) < 20_000
    assert min(heights) < 0.1 * HEIGHT
    assert max(heights) > 0.9 * HEIGHT


def test_the_worst_of_many_marks_are_drawn() -> None:
    worst = anomaly(3, severity="critical", score=99.0)
    mild = [replace(one, severity="warning") for one in many(500)]
    series = rank_series([*mild, worst]).series[0]
    text = drawn(replace(bare(), series=series))
    assert text.count("<use class") == MOST_MARKS + text.count('href="#m-missing"')
    assert text.count('class="critical"') == 1


def test_nothing_to_draw_and_the_largest_numbers_make_no_error() -> None:
    shown = bare()
    nothing = drawn(replace(shown, points=Curve(), band=BandCurve()))
    assert "no points to draw" in nothing
    flat = Curve(shown.points.ts_ms, np.full(len(shown.points.ts_ms), 5.0))
    assert path(drawn(replace(shown, points=flat, band=BandCurve())), "value")
    huge = np.resize([1.7e308, -1.7e308], len(shown.points.ts_ms))
    text = drawn(replace(shown, points=Curve(shown.points.ts_ms, huge)))
    assert not re.search(r"nan|inf", path(text, "value"))


def test_a_missing_value_is_marked_on_the_axis() -> None:
    series = rank_series([anomaly(1, value=None, expected=None, lower=None, upper=None)]).series[0]
    text = drawn(replace(bare(), series=series))
    assert f'y="{TOP + HEIGHT:.1f}"><title>Mon 2 Nov 2026: no data (Critical)' in text
    assert series.anomalies[0].ts_ms == START_MS + DAY_MS
