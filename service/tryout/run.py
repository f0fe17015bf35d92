"""``lupus-server try``: from a file to a table, a picture and a file of answers."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from rich.console import Console

from detectors.errors import DetectorError
from service.accept_defaults import detector_with_defaults
from service.tryout.changes import changes_as_json, show_changes
from service.tryout.choose import DAY, choose_detector, step_words
from service.tryout.columns import assign_columns
from service.tryout.errors import TryError
from service.tryout.explain import ExplainedSeries, explain_findings, show_explanations
from service.tryout.explain import as_json as explanations_as_json
from service.tryout.judge import Finding, judge
from service.tryout.read import read_table
from service.tryout.series import cut_series, median_step, span
from service.tryout.terminal import direction_word, picture, severity_word, show_table, time_text
from service.tryout.write import check_ending, write
from storage.source import SourceSpec

UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True)
class TryOptions:
    """What the command line said; None means: guess."""

    path: str
    time: str | None = None
    values: tuple[str, ...] = ()
    by: tuple[str, ...] | None = None
    detector: str | None = None  # a type, or JSON of its parameters
    timezone: str = "UTC"
    last: str | None = None
    out: str | None = None
    explain: str | None = None  # time of the points to explain


def try_file(options: TryOptions, console: Console, as_json: bool = False) -> list[Finding]:
    """Run the whole of it; TryError says what is wrong with the file or an option."""
    if options.out:
        check_ending(options.out)
    _check_timezone(options.timezone)
    table = read_table(options.path)
    columns = assign_columns(table, options.time, options.values, options.by)
    found = cut_series(table, columns, options.timezone)
    parameters, why = _detector(options, lambda: choose_detector(found))
    first, last = span(found)
    start = last - _duration(options.last) if options.last else None
    step = median_step(found)
    if not as_json:
        for said in columns.said:
            console.print(f"[dim]guessed:[/] {said}")
        period = f"{time_text(first, False)} to {time_text(last, False)}"
        console.print(
            f"[dim]read:[/] {table.num_rows:,} rows, {len(found)} series, every "
            f"{step_words(step)}, {period}"
        )
        console.print(f"[dim]detector:[/] [bold]{parameters['type']}[/], {why}")
    steps_ms = dict.fromkeys(columns.values, int(step.astype("timedelta64[ms]").astype(int)))
    source = SourceSpec(options.path, options.timezone, steps_ms=steps_ms)
    # As a request would have it.
    complete = detector_with_defaults(parameters, (), columns.values, source)
    try:
        findings = judge(found, complete, start)
    except DetectorError as error:
        raise TryError(f"--detector: {error}") from error
    explained = explain_findings(findings, complete, start, options.explain, options.timezone)
    chosen = Counter(str(f.result.chosen) for f in findings if f.result.chosen)
    if as_json:
        answer = _as_json(findings, parameters, columns.said, chosen)
        console.print_json(json.dumps({**answer, **explanations_as_json(explained)}))
    else:
        for said, count in sorted(chosen.items()):
            console.print(f"[dim]chosen:[/] {said} [dim]({count} series)[/]")
        _show(findings, explained, console, bool(step < DAY))
    if options.out:
        write(findings, options.out, f"{options.path}: {parameters['type']}")
        if not as_json:
            console.print(f"[dim]written:[/] {options.out}")
    return findings


def _show(
    findings: list[Finding], explained: list[ExplainedSeries], console: Console, with_time: bool
) -> None:
    if explained:
        show_explanations(console, explained)
        return
    total = sum(len(f.anomalies) for f in findings)
    touched = sum(1 for f in findings if len(f.anomalies))
    not_judged = sum(f.not_judged for f in findings)
    if total:
        console.print()
        console.print(findings[0].series.name, style="bold")
        console.print(picture(findings[0], console.width))
        show_table(console, findings, with_time)
        show_changes(console, findings, with_time)
    noun = "anomaly" if total == 1 else "anomalies"
    console.print(
        f"\n[bold]{total} {noun}[/] in {touched} of {len(findings)} series; "
        f"{not_judged} points not judged (no data or too little history before them)"
    )


def _check_timezone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise TryError(f"--timezone {name!r} is not an IANA name such as Asia/Tokyo") from error


def _detector(options: TryOptions, choose: Any) -> tuple[Mapping[str, Any], str]:
    if options.detector is None:
        parameters, why = choose()
        return parameters, why
    if not options.detector.lstrip().startswith("{"):
        return {"type": options.detector}, "as asked"
    try:
        parameters = json.loads(options.detector)
    except ValueError as error:
        raise TryError(f"--detector is not JSON: {error}") from error
    if "type" not in parameters:
        raise TryError('--detector: "type" is missing, e.g. {"type": "threshold", "lower": 0}')
    return parameters, "as asked"


def _duration(text: str) -> np.timedelta64:
    amount, unit = text[:-1], text[-1:]
    if unit not in UNITS or not amount.isdigit():
        raise TryError(f"--last {text!r}: allowed are a number and one of m h d w, such as 30d")
    return np.timedelta64(timedelta(**{UNITS[unit]: int(amount)}), "ms")


def _as_json(
    findings: list[Finding],
    parameters: Mapping[str, Any],
    said: Sequence[str],
    chosen: Mapping[str, int],
) -> dict[str, Any]:
    def clean(value: float) -> float | None:
        return float(value) if np.isfinite(value) else None

    rows = []
    for finding in findings:
        result = finding.result
        rows += [
            {
                "series": finding.series.name,
                "time": f"{result.times[i]}Z",
                "value": clean(result.values[i]),
                "expected": clean(result.expected[i]),
                "lower": clean(result.lower[i]),
                "upper": clean(result.upper[i]),
                "score": clean(result.score[i]),
                "direction": direction_word(int(result.direction[i])),
                "severity": severity_word(int(result.severity[i])),
            }
            for i in finding.anomalies
        ]
    return {
        "said": list(said),
        "detector": dict(parameters),
        "chosen": dict(chosen),
        "series": len(findings),
        "anomalies": rows,
        "changes": changes_as_json(findings),
    }
