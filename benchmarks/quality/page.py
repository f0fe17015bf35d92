"""docs/quality.md and its picture, from results.json."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.quality.configurations import DEFAULTS, RANGE, WEIGHED
from benchmarks.quality.events import KINDS, WORDS
from benchmarks.quality.metrics import METRICS, STEPS_PER_DAY, Step
from benchmarks.quality.picture import picture
from benchmarks.quality.summary import Pooled, Row, alarms, chosen, pooled
from benchmarks.quality.trial import HORIZON

_HERE = Path(__file__).resolve().parent
ROOT = _HERE.parents[1]
RESULTS = _HERE / "results.json"
_SENTENCES = _HERE / "sentences.txt"
PAGE_PATH = ROOT / "docs" / "quality.md"
PICTURE_PATH = ROOT / "docs" / "images" / "quality.svg"
_DIGITS = 4
_NAB_KINDS = ("points", "adjacent", "episodes")
_PROFILES = ("standard", "reward_low_FP_rate", "reward_low_FN_rate")

Results = Mapping[str, Any]


def dumped(results: Results) -> str:
    """JSON with one row a line."""
    parts = [
        f'"{name}": [\n' + ",\n".join(json.dumps(_rounded(row)) for row in rows) + "\n]"
        for name, rows in results.items()
    ]
    return "{" + ",\n".join(parts) + "}\n"


def write(results: Results) -> None:
    """Write the page and the picture."""
    PAGE_PATH.write_text(text(results))
    PICTURE_PATH.write_text(picture(results["planted"]))


def text(results: Results) -> str:
    """The page."""
    planted = results["planted"]
    return _SENTENCES.read_text().format(
        nab="\n".join(_nab_table(results["nab"])),
        nab_configurations="\n".join(
            f"- {row['detector']}: "
            + (row["note"] if isinstance(row["note"], str) else f"`{json.dumps(row['note'])}`")
            for row in results["nab"]
        ),
        events="\n".join(f"| {kind} | {WORDS[kind]} |" for kind in KINDS),
        planted=planted_tables(planted),
        by_metric="\n".join(_by_metric(planted)),
        merging="\n".join(_merging(planted)),
        **_figures(planted),
    )


def planted_tables(rows: Sequence[Row]) -> str:
    """One table for each step."""
    return "\n\n".join("\n".join(_table(rows, step)) for step in _steps(rows))


def _table(rows: Sequence[Row], step: Step) -> Iterator[str]:
    yield f"### {step.capitalize()} metrics"
    yield ""
    yield (
        "| history | detector | judged | false alarms a series-year | precision | "
        + " | ".join(KINDS[:-1])
        + " | judged around a gap |"
    )
    yield "|" + "---|" * (len(KINDS) + 5)
    for history in _histories(rows, step):
        for name in _names(step):
            found = pooled(chosen(rows, name, step, history))
            cells = [_recall(found, kind) for kind in KINDS[:-1]]
            yield (
                f"| {history} | {name} | {found.judged:.0%} | {_number(found.alarms_a_year)} "
                f"| {_share(found.precision)} | {' | '.join(cells)} | {found.after_gap:.0%} |"
            )


def _by_metric(rows: Sequence[Row]) -> Iterator[str]:
    yield "| step | detector | " + " | ".join(METRICS) + " |"
    yield "|---|---|" + "---|" * len(METRICS)
    for step in _steps(rows):
        history = _histories(rows, step)[-1]
        for name in _names(step):
            found = [pooled(chosen(rows, name, step, history, metric)) for metric in METRICS]
            cells = [f"{_number(one.alarms_a_year)}, {one.all_recall:.0%}" for one in found]
            yield f"| {step} | {name} | {' | '.join(cells)} |"


def _merging(rows: Sequence[Row]) -> Iterator[str]:
    yield (
        "| step | detector | points | episodes | with up to 3 steps between "
        "| points for each merged episode |"
    )
    yield "|---|---|---|---|---|---|"
    for step in _steps(rows):
        history = _histories(rows, step)[-1]
        for name in DEFAULTS:
            days = HORIZON[step] / STEPS_PER_DAY[step]
            points, episodes, merged = alarms(chosen(rows, name, step, history), days)
            yield (
                f"| {step} | {name} | {points:.0f} | {episodes:.0f} | {merged:.0f} "
                f"| {points / max(merged, 1e-9):.1f} |"
            )


def _nab_table(rows: Sequence[Row]) -> Iterator[str]:
    yield (
        "| detector | each point an alarm: standard | low FP | low FN | threshold of other folders "
        "| one alarm an episode: standard | low FP | low FN | with up to eight hours between: "
        "standard | low FP | low FN |"
    )
    yield "|" + "---|" * 11
    for row in rows:
        shown = [(kind, p) for kind in _NAB_KINDS for p in _PROFILES]
        shown.insert(len(_PROFILES), ("held_out", "standard"))
        cells = [f"{row[kind][p]:.2f}" for kind, p in shown]
        yield f"| {row['detector']} | {' | '.join(cells)} |"


def _figures(rows: Sequence[Row]) -> dict[str, str]:
    """Figures that the page's sentences quote."""

    def at(name: str, step: Step, history: int) -> Pooled:
        return pooled(chosen(rows, name, step, history))

    def both(name: str, step: Step, history: int) -> str:
        found = at(name, step, history)
        return _said(found)

    def of(metric: str, name: str) -> str:
        return _said(pooled(chosen(rows, name, "hourly", 672, metric)))

    return {
        "count_week": of("count", "window, hour_of_week"),
        "latency_wide": of("latency", "window, hour_of_week, per_hour, k 4.5"),
        "count_own": of("count", "window, hour_of_week, per_hour"),
        "latency_own": of("latency", "window, hour_of_week, per_hour"),
        "hour_own": both("window, hour_of_week, per_hour", "hourly", 672),
        "auto_hourly": both("auto", "hourly", 672),
        "range_28": both(RANGE, "daily", 28),
        "change_daily": both("trend_change", "daily", 90),
        "change_hourly": both("trend_change", "hourly", 672),
        "prophet_60": both("prophet", "daily", 60),
        "prophet_30": both("prophet, from 30 points", "daily", 28),
        "window_daily": both("window", "daily", 90),
        "weekday_daily": both("window, day_of_week", "daily", 90),
        "robust_daily": both("window, robust", "daily", 90),
        "prophet_daily": both("prophet", "daily", 90),
        "old_prophet_daily": both("prophet, interval 0.997", "daily", 90),
        "auto_60": both("auto", "daily", 60),
        "auto_28": both("auto", "daily", 28),
        "weekday_60": both("window, day_of_week", "daily", 60),
        "esd_daily": both("seasonal_esd", "daily", 90),
        "esd_gap": f"{at('seasonal_esd', 'daily', 90).after_gap:.0%}",
        "old_window_hourly": both("window, k 3", "hourly", 672),
        "window_hourly": both("window", "hourly", 672),
        "hour_of_day": both("window, hour_of_day, 28d", "hourly", 672),
        "hour_of_week": both("window, hour_of_week", "hourly", 672),
        "prophet_hourly": both("prophet", "hourly", 672),
        "old_prophet_hourly": both("prophet, interval 0.997", "hourly", 672),
        "esd_hourly": both("seasonal_esd", "hourly", 672),
    }


def _said(found: Pooled) -> str:
    rate = _number(found.alarms_a_year)
    return f"{rate} false alarms a series-year, {found.all_recall:.0%} found"


def _steps(rows: Sequence[Row]) -> list[Step]:
    return [step for step in WEIGHED if any(row["step"] == step for row in rows)]


def _histories(rows: Sequence[Row], step: Step) -> list[int]:
    return sorted({row["history"] for row in rows if row["step"] == step})


def _names(step: Step) -> list[str]:
    return [*DEFAULTS, *WEIGHED[step]]


def _recall(found: Pooled, kind: str) -> str:
    delay = found.delay[kind]
    return f"{found.recall[kind]:.0%}" + (f", {delay:g}" if delay is not None else "")


def _number(value: float | None) -> str:
    return "none judged" if value is None else f"{value:.1f}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"


def _rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _rounded(one) for key, one in value.items()}
    return round(value, _DIGITS) if isinstance(value, float) else value
