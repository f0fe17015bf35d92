"""False alarms against what is found: one dot for each detector, a picture as SVG."""

from collections.abc import Iterator, Sequence
from math import log10

from benchmarks.quality.configurations import DEFAULTS, WEIGHED
from benchmarks.quality.metrics import Step
from benchmarks.quality.summary import Row, chosen, pooled

_WIDTH, _HEIGHT, _LEFT, _TOP = 380, 300, 56, 40
_LEAST, _MOST = 0.1, 100.0  # false alarms a series-year, logarithmic
_TICKS = (0.1, 1, 10, 100)
_RADIUS, _LINE = 8, 19
_DEFAULT, _WEIGHED = "#1b5e9b", "#9a8c7c"


def picture(rows: Sequence[Row]) -> str:
    """The longest history of each step."""
    steps = [step for step in WEIGHED if any(row["step"] == step for row in rows)]
    names = max(len(DEFAULTS) + len(WEIGHED[step]) for step in steps)
    height = _HEIGHT + 100 + _LINE * names
    width = len(steps) * (_WIDTH + _LEFT) + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="system-ui, sans-serif" font-size="12" role="img" '
        'aria-label="Share of planted anomalies found against false alarms a series-year">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for index, step in enumerate(steps):
        parts += _panel(rows, step, _LEFT + index * (_WIDTH + _LEFT))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(rows: Sequence[Row], step: Step, left: int) -> Iterator[str]:
    history = max(row["history"] for row in rows if row["step"] == step)
    yield (
        f'<text x="{left}" y="24" font-size="14" font-weight="bold">{step.capitalize()}, {history} '
        "points of history</text>"
    )
    bottom = _TOP + _HEIGHT
    for tick in _TICKS:
        x = left + _across(tick)
        yield f'<path d="M{x:.0f} {_TOP}V{bottom}" stroke="#e4e0da"/>'
        yield (
            f'<text x="{x:.0f}" y="{bottom + 18}" text-anchor="middle" fill="#555">{tick:g}</text>'
        )
    for share in (0, 25, 50, 75, 100):
        y = bottom - _HEIGHT * share / 100
        yield f'<path d="M{left} {y:.0f}H{left + _WIDTH}" stroke="#e4e0da"/>'
        yield (
            f'<text x="{left - 6}" y="{y + 4:.0f}" text-anchor="end" fill="#555">{share} %</text>'
        )
    yield (
        f'<text x="{left + _WIDTH / 2:.0f}" y="{bottom + 38}" text-anchor="middle" fill="#333">'
        "false alarms a series-year (log); found, of five kinds, upwards</text>"
    )
    for number, (x, y, names) in enumerate(_dots(rows, step, history), 1):
        color = _DEFAULT if any(name in DEFAULTS for name in names) else _WEIGHED
        line = bottom + 50 + _LINE * number
        yield from _dot(left + x, bottom - y, color, number)
        yield from _dot(left + _RADIUS, line - 4, color, number)
        yield (
            f'<text x="{left + _RADIUS + 14:.0f}" y="{line:.0f}" fill="#222">'
            f"{' = '.join(names)}</text>"
        )


def _dots(rows: Sequence[Row], step: Step, history: int) -> list[tuple[float, float, list[str]]]:
    """Places, the highest first, with the names of the detectors that share each."""
    dots: list[tuple[float, float, list[str]]] = []
    for name in (*DEFAULTS, *WEIGHED[step]):
        found = pooled(chosen(rows, name, step, history))
        if found.alarms_a_year is None:
            continue
        x, y = _across(found.alarms_a_year), _HEIGHT * found.all_recall
        near = [one for one in dots if abs(one[0] - x) + abs(one[1] - y) < _RADIUS]
        if near:
            near[0][2].append(name)
        else:
            dots.append((x, y, [name]))
    return sorted(dots, key=lambda one: -one[1])


def _dot(x: float, y: float, color: str, number: int) -> Iterator[str]:
    yield f'<circle cx="{x:.0f}" cy="{y:.0f}" r="{_RADIUS}" fill="{color}"/>'
    yield (
        f'<text x="{x:.0f}" y="{y + 3.5:.1f}" text-anchor="middle" font-size="10" fill="white">'
        f"{number}</text>"
    )


def _across(alarms: float) -> float:
    share = log10(min(max(alarms, _LEAST), _MOST) / _LEAST) / log10(_MOST / _LEAST)
    return _WIDTH * share
