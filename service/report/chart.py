"""One series as an SVG picture: band, expectation, values, anomalies, and what is missing.

Lines lie in an inner picture that is stretched to the width of the page; texts and marks lie in
the outer one at shares of that width, so they keep their size on a phone and in print.
"""

import heapq
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from service.api.downsample import keep_extremes
from service.notifications.wording import clipped, date_text, severity_word
from service.report.facts import BandCurve, Card, Curve, Floats, Ints
from service.report.markup import fill, joined
from service.report.rank import badness
from service.report.text import range_words, value_text
from service.report.ticks import tick_texts, time_ticks, value_ticks
from storage.index import Anomaly

WIDTH, HEIGHT, TOP, BOTTOM = 1000, 190, 10, 24
MOST_POINTS = 480
MOST_DOTS = 120  # beyond that single points are no more seen than the line
MOST_MARKS = 100
MOST_MISSING = 60
MOST_RELEASES = 10
_NAME_LENGTH = 24
_LETTER = 6.6  # width of a digit of a tick in pixels
_GAP_STEPS = 1.5  # a longer stretch without a point is a gap

# Each severity has a shape of its own: colour alone tells nothing to many.
MARKS = Markup(
    '<svg class="marks" aria-hidden="true" focusable="false"><defs>'
    '<path id="m-critical" d="M0 -8L7 0L0 8L-7 0Z"/>'
    '<path id="m-major" d="M0 -7L7 5.5L-7 5.5Z"/>'
    '<circle id="m-warning" r="5"/>'
    '<path id="m-withdrawn" d="M-4 -4L4 4M-4 4L4 -4"/>'
    '<path id="m-missing" d="M0 -4V4"/>'
    "</defs></svg>"
)


@dataclass(frozen=True)
class Frame:
    """Turns times and values into places."""

    from_ms: int
    to_ms: int
    low: float
    high: float

    def x(self, time_ms: float) -> float:
        """0 at the left to 1000 at the right."""
        return (time_ms - self.from_ms) / (self.to_ms - self.from_ms) * WIDTH

    def share(self, time_ms: float) -> str:
        """The same as a share of the width."""
        return f"{self.x(time_ms) / WIDTH * 100:.2f}%"

    def y(self, value: float) -> float:
        """0 at the highest value to HEIGHT at the lowest; halves, because a span may overflow."""
        return float((self.high / 2 - value / 2) / (self.high / 2 - self.low / 2) * HEIGHT)


def chart(card: Card, start_ms: int, end_ms: int, timezone: str) -> Markup:
    """The picture of a card, with the run's range [start, end) set off from history."""
    frame = _frame(card, start_ms, end_ms)
    ticks = value_ticks(frame.low, frame.high)
    texts = tick_texts(ticks, card.look.pattern)
    width = max(28, int(max(map(len, texts)) * _LETTER) + 10)
    times = time_ticks(frame.from_ms, frame.to_ms, timezone, 8)
    return fill(
        '<div class="chart" style="--axis:{}px"><svg class="axis" aria-hidden="true" width="{}" '
        'height="{}">{}</svg><svg class="plot" role="img" aria-label="{}" height="{}">'
        "{}{}{}{}</svg></div>",
        width,
        width,
        HEIGHT + TOP + BOTTOM,
        joined(
            fill(
                '<text x="{}" y="{:.1f}" dy=".32em">{}</text>', width - 8, frame.y(tick) + TOP, text
            )
            for tick, text in zip(ticks, texts, strict=True)
        ),
        _description(card, timezone),
        HEIGHT + TOP + BOTTOM,
        _lines(card, frame, start_ms, end_ms, ticks, [time for time, _ in times]),
        joined((_time_axis(frame, times), _releases(card, frame, timezone))),
        _missing(card, frame, start_ms, end_ms, timezone),
        _marks(card, frame, timezone),
    )


def _frame(card: Card, start_ms: int, end_ms: int) -> Frame:
    band = card.band
    standing = [a.value for a in card.series.anomalies if a.value is not None]
    parts = (card.points.values, band.lower, band.upper, band.expected, np.array(standing, float))
    known = np.concatenate([part[np.isfinite(part)] for part in parts])
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    if low == high:
        margin = abs(low) * 0.1 or 1.0
        low, high = low - margin, high + margin
    else:
        # A margin may not pass the largest float.
        margin = high * 0.05 - low * 0.05
        low, high = max(low - margin, -1.7e308), min(high + margin, 1.7e308)
    return Frame(min(card.from_ms, start_ms), max(end_ms, start_ms + 1), low, high)


def _lines(
    card: Card,
    frame: Frame,
    start_ms: int,
    end_ms: int,
    ticks: Sequence[float],
    times: Sequence[int],
) -> Markup:
    step_ms = card.look.step_ms or _usual_step(card.points.ts_ms)
    left = frame.x(start_ms)
    grid = "".join(f"M0 {frame.y(tick):.1f}H{WIDTH}" for tick in ticks)
    grid += "".join(f"M{frame.x(time):.1f} {HEIGHT}v5" for time in times)
    area, bounds, expected = _band_paths(card.band, frame, step_ms)
    line, dots = _value_paths(card.points, frame, step_ms)
    return fill(
        '<svg y="{}" width="100%" height="{}" viewBox="0 0 {} {}" preserveAspectRatio="none" '
        'overflow="visible"><rect class="now" x="{:.1f}" width="{:.1f}" height="{}"/>'
        '<path class="grid" d="{}"/>{}{}{}{}{}</svg>',
        TOP,
        HEIGHT,
        WIDTH,
        HEIGHT,
        left,
        max(frame.x(end_ms) - left, 1),
        HEIGHT,
        grid,
        _path("band", area),
        _path("bound", bounds),
        _path("expected", expected),
        _path("value", line),
        _path("dots", dots),
    )


def _path(kind: str, data: str) -> Markup:
    return fill('<path class="{}" d="{}"/>', kind, data) if data else Markup()


def _value_paths(points: Curve, frame: Frame, step_ms: int) -> tuple[str, str]:
    """The line, broken at gaps, and dots where points are few."""
    kept = keep_extremes(points.values, points.values, MOST_POINTS)
    run = np.cumsum(np.append(False, np.diff(points.ts_ms) > _GAP_STEPS * step_ms))
    line, dots = [], []
    last = None
    for row in kept.tolist():
        place = f"{frame.x(points.ts_ms[row]):.1f} {frame.y(points.values[row]):.1f}"
        line.append(f"{'L' if run[row] == last else 'M'}{place}")
        dots.append(f"M{place}h0")
        last = run[row]
    alone = len(kept) <= MOST_DOTS
    # A point with gaps on both sides makes no line.
    lonely = np.bincount(run)[run[kept]] == 1 if len(kept) else kept
    return "".join(line), "".join(
        dot for dot, one in zip(dots, lonely.tolist(), strict=True) if alone or one
    )


def _band_paths(band: BandCurve, frame: Frame, step_ms: int) -> tuple[str, str, str]:
    """Area, bounds and expectation; a bound that is not there lets the area reach the edge."""
    area, bounds, expected = [], [], []
    for rows in _stretches(band, step_ms):
        xs = [frame.x(time) for time in band.ts_ms[rows].tolist()]
        if len(xs) == 1:  # a single slot shall be seen
            half = frame.x(frame.from_ms + step_ms) / 2
            xs, rows = [xs[0] - half, xs[0] + half], np.repeat(rows, 2)
        low, high = band.lower[rows], band.upper[rows]
        bottom = [frame.y(v) if np.isfinite(v) else float(HEIGHT) for v in low.tolist()]
        top = [frame.y(v) if np.isfinite(v) else 0.0 for v in high.tolist()]
        area.append(_join(xs, top) + _join(xs[::-1], bottom[::-1], "L") + "Z")
        for values, ys in ((low, bottom), (high, top)):
            if np.isfinite(values).all() and not np.isfinite(low).all() & np.isfinite(high).all():
                bounds.append(_join(xs, ys))
        middle = band.expected[rows]
        if np.isfinite(middle).all():
            expected.append(_join(xs, [frame.y(v) for v in middle.tolist()]))
    return "".join(area), "".join(bounds), "".join(expected)


def _stretches(band: BandCurve, step_ms: int) -> Iterator[Ints]:
    """Rows with a bound, in pieces without gaps."""
    known = np.flatnonzero(np.isfinite(band.lower) | np.isfinite(band.upper))
    kept = known[keep_extremes(band.lower[known], band.upper[known], MOST_POINTS)]
    if not len(kept):
        return
    run = np.cumsum(np.append(False, np.diff(band.ts_ms[known]) > _GAP_STEPS * step_ms))
    of = run[np.searchsorted(known, kept)]
    cuts = np.flatnonzero(np.diff(of)) + 1
    yield from np.split(kept, cuts)


def _join(xs: Sequence[float], ys: Sequence[float], first: str = "M") -> str:
    places = (f"{x:.1f} {y:.1f}" for x, y in zip(xs, ys, strict=True))
    return first + "L".join(places)


def _usual_step(ts_ms: Ints) -> int:
    return int(np.median(np.diff(ts_ms))) if len(ts_ms) > 1 else 1


def _time_axis(frame: Frame, times: Sequence[tuple[int, str]]) -> Markup:
    """Every other tick is left out on a narrow page."""
    texts = []
    for number, (time_ms, text) in enumerate(times):
        place = frame.x(time_ms) / WIDTH
        side = "start" if place < 0.04 else "end" if place > 0.96 else "middle"
        wide = " wide" if len(times) > 4 and number % 2 else ""
        texts.append(
            fill(
                '<text class="tick{}" x="{}" y="{}" text-anchor="{}">{}</text>',
                wide,
                frame.share(time_ms),
                TOP + HEIGHT + BOTTOM - 6,
                side,
                text,
            )
        )
    return joined(texts)


def _releases(card: Card, frame: Frame, timezone: str) -> Markup:
    """A stroke for each release, with its name where there is room for it."""
    drawn = [r for r in card.releases if frame.from_ms <= r.time_ms < frame.to_ms][-MOST_RELEASES:]
    return joined(
        fill(
            '<g class="release"><title>{}: release {}{}</title><line x1="{}" x2="{}" y1="{}" '
            'y2="{}"/><text x="{}" y="{}" dx="{}" text-anchor="{}">{}</text></g>',
            date_text(release.time_ms, timezone, card.look.step_ms),
            release.name,
            ", its baseline begins anew" if release.restarted else "",
            frame.share(release.time_ms),
            frame.share(release.time_ms),
            TOP,
            TOP + HEIGHT,
            frame.share(release.time_ms),
            TOP + 10,
            *((4, "start") if frame.x(release.time_ms) < WIDTH / 2 else (-4, "end")),
            clipped(release.name, _NAME_LENGTH),
        )
        for release in drawn
    )


def _missing(card: Card, frame: Frame, start_ms: int, end_ms: int, timezone: str) -> Markup:
    """Strokes on the axis where the run expected points and there are none."""
    step_ms = card.look.step_ms
    if not step_ms:
        return Markup()
    slots = itertools.islice(_missing_slots(card.points.ts_ms, start_ms, end_ms, step_ms), 1000)
    found = list(slots)[:MOST_MISSING]
    return joined(
        fill(
            '<use class="missing" href="#m-missing" x="{}" y="{}"><title>{}: no data</title></use>',
            frame.share(slot),
            TOP + HEIGHT,
            date_text(slot, timezone, step_ms),
        )
        for slot in found
    )


def _missing_slots(ts_ms: Ints, start_ms: int, end_ms: int, step_ms: int) -> Iterator[int]:
    """Slots between the points of the range, from the last point before it on."""
    if not len(ts_ms):
        return
    before = ts_ms[ts_ms < start_ms]
    inside = ts_ms[(ts_ms >= start_ms) & (ts_ms < end_ms)].tolist()
    marks = [*before[-1:].tolist(), *inside, end_ms]
    for left, right in itertools.pairwise(marks):
        if right - left > _GAP_STEPS * step_ms:
            for slot in range(left + step_ms, right - step_ms // 2, step_ms):
                if slot >= start_ms:
                    yield slot


def _marks(card: Card, frame: Frame, timezone: str) -> Markup:
    """The worst are drawn last, so that nothing hides them."""
    drawn = heapq.nlargest(MOST_MARKS, card.series.anomalies, key=_order)[::-1]
    return joined(_mark(card, anomaly, frame, timezone) for anomaly in drawn)


def _order(anomaly: Anomaly) -> tuple[bool, tuple[int, float, int]]:
    return anomaly.status == "found", badness(anomaly)


def _mark(card: Card, anomaly: Anomaly, frame: Frame, timezone: str) -> Markup:
    kind = anomaly.severity if anomaly.status == "found" else "withdrawn"
    height = HEIGHT + TOP if anomaly.value is None else frame.y(anomaly.value) + TOP
    return fill(
        '<use class="{0}" href="#m-{0}" x="{1}" y="{2:.1f}"><title>{3}</title></use>',
        kind,
        frame.share(anomaly.ts_ms),
        height,
        mark_text(card, anomaly, timezone),
    )


def mark_text(card: Card, anomaly: Anomaly, timezone: str) -> str:
    """What a mark says when somebody points at it."""
    day = date_text(anomaly.ts_ms, timezone, card.look.step_ms)
    word = "Withdrawn" if anomaly.status == "withdrawn" else severity_word(anomaly.severity)
    wanted = range_words(anomaly, card.look)
    value = value_text(anomaly.value, card.look)
    return f"{day}: {value}" + (f", expected {wanted}" if wanted else "") + f" ({word})"


def _description(card: Card, timezone: str) -> str:
    points = card.points
    if not len(points.ts_ms):
        return f"{card.look.name}: no points to draw"
    first, last = (date_text(int(at), timezone, None) for at in points.ts_ms[[0, -1]])
    count = len(card.series.found)
    low, high = (value_text(float(v), card.look) for v in _ends(points.values))
    marked = f"{count} abnormal, listed below" if count else "nothing abnormal"
    return f"{card.look.name} from {first} to {last}: values from {low} to {high}, {marked}"


def _ends(values: Floats) -> tuple[float, float]:
    return float(values.min()), float(values.max())
