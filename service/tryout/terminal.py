"""Findings for a terminal: a table of anomalies and a picture of the worst series."""

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from detectors.episodes import episodes
from detectors.result import Direction, Severity
from service.tryout.judge import Finding

HEIGHT = 12
MOST_ROWS = 15
COLORS = {1: "yellow", 2: "dark_orange", 3: "red"}


def show_table(console: Console, findings: list[Finding], with_time: bool) -> None:
    """Print one row for each episode, the worst first, at most 15."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("when (UTC)", "points", "series", "value", "expected", "range", "severity"):
        table.add_column(name, justify="right" if name in ("points", "value") else "left")
    found = [(finding, one) for finding in findings for one in episodes(finding.result)]
    found.sort(key=lambda pair: -float(np.nan_to_num(pair[1].peak_score)))
    for finding, episode in found[:MOST_ROWS]:
        result, i = finding.result, episode.peak
        code = int(result.severity[i])
        arrow = {1: "↑", -1: "↓"}.get(int(result.direction[i]), " ")
        table.add_row(
            time_text(episode.start, with_time),
            str(episode.points),
            finding.series.name,
            number(result.values[i]),
            number(result.expected[i]),
            f"{number(result.lower[i])} … {number(result.upper[i])}",
            Text(f"{arrow} {severity_word(code)}", style=COLORS.get(code, "")),
        )
    console.print(table)
    if len(found) > MOST_ROWS:
        console.print(f"… and {len(found) - MOST_ROWS} milder; --out FILE.csv has every point")


def time_text(time: np.datetime64, with_time: bool) -> str:
    """A date, with hours and minutes where series are finer than a day."""
    return str(time.astype("datetime64[m]" if with_time else "datetime64[D]")).replace("T", " ")


def number(value: float) -> str:
    """Four significant digits, large numbers whole; a dash where there is none."""
    if not np.isfinite(value):
        return "–"
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e12 else f"{value:.4g}"


def picture(finding: Finding, width: int) -> Text:
    """The series as dots, its band as shade, its anomalies as crosses, oldest to the left."""
    result = finding.result
    columns = max(20, min(width - 12, len(result)))
    column = (np.arange(len(result)) * columns // max(len(result), 1)).astype(int)
    finite = np.concatenate([result.values, result.lower, result.upper])
    finite = finite[np.isfinite(finite)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    scale = (HEIGHT - 1) / (high - low) if high > low else 0.0

    def row(value: float) -> int:
        return HEIGHT - 1 - round((value - low) * scale)

    cells = [[" "] * columns for _ in range(HEIGHT)]
    for i, x in enumerate(column.tolist()):
        if np.isfinite(result.lower[i]) and np.isfinite(result.upper[i]):
            for y in range(row(result.upper[i]), row(result.lower[i]) + 1):
                if cells[y][x] == " ":
                    cells[y][x] = "░"
    for mark, chosen in (("•", ~result.is_anomaly), ("✗", result.is_anomaly)):
        for i in np.flatnonzero(chosen & np.isfinite(result.values)).tolist():
            cells[row(result.values[i])][column[i]] = mark
    text = Text()
    for y, line in enumerate(cells):
        edge = {0: number(high), HEIGHT - 1: number(low)}.get(y, "")
        text.append(f"{edge:>10} ")
        for cell in line:
            text.append(cell, style={"✗": "bold red", "░": "bright_black"}.get(cell, ""))
        text.append("\n")
    return text


def direction_word(code: int) -> str:
    """``up``, ``down`` or ``none``."""
    return Direction(code).name.lower()


def severity_word(code: int) -> str:
    """``warning``, ``major``, ``critical`` or ``none``."""
    return Severity(code).name.lower()
