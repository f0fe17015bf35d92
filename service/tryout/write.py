"""Findings as a file: csv, parquet, png or one self-contained HTML page."""

import html
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from detectors.episodes import episodes
from detectors.result import Direction, Reason, Severity
from service.tryout.errors import TryError
from service.tryout.judge import Finding
from service.tryout.terminal import number, severity_word, time_text

ENDINGS = (".csv", ".parquet", ".png", ".html")
MOST_CHARTS = 20
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;"
    "color:#1d2b36}svg{width:100%;height:auto}table{border-collapse:collapse;font-size:.9rem}"
    "td,th{padding:.2rem .8rem .2rem 0;text-align:left}.n{text-align:right}"
    ".critical{color:#b3261e}.major{color:#b25e00}.warning{color:#7a6a00}"
)


def check_ending(out: str) -> None:
    """Refuse an unknown ending before any work is done."""
    if not out.endswith(ENDINGS):
        raise TryError(f"--out {out}: allowed endings are {' '.join(ENDINGS)}")


def write(findings: list[Finding], out: str, title: str) -> None:
    """Write beside the target first, so that a failure leaves no half file."""
    path = Path(out)
    part = path.with_name(f".{path.name}.part")
    try:
        if out.endswith(".csv"):
            pyarrow.csv.write_csv(as_table(findings), part)
        elif out.endswith(".parquet"):
            pyarrow.parquet.write_table(as_table(findings), part)
        elif out.endswith(".png"):
            from service.tryout.chart import png  # noqa: PLC0415 - matplotlib takes 0.3 s

            part.write_bytes(png(findings[:MOST_CHARTS]))
        else:
            part.write_text(page(findings, title), encoding="utf-8")
        os.replace(part, path)  # noqa: PTH105 - Path.replace is the same call
    except OSError as error:
        part.unlink(missing_ok=True)
        raise TryError(f"{out} cannot be written: {error.strerror}") from error


def as_table(findings: list[Finding]) -> pa.Table:
    """One row per checked point of every series."""
    rows = [len(f.result) for f in findings]

    def column(name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
        return np.concatenate([getattr(f.result, name) for f in findings])

    def words(name: str, codes: type[Severity | Direction | Reason]) -> list[str]:
        by_code = {int(code): code.name.lower() for code in codes}
        return [by_code[int(code)] for code in column(name)]

    names = pa.array(np.repeat([f.series.name for f in findings], rows))
    table = pa.table(
        {
            "series": names,
            "time": pa.array(column("times"), pa.timestamp("ms", "UTC")),
            **{
                name: pa.array(column(name), from_pandas=True)
                for name in ("values", "expected", "lower", "upper", "score")
            },
            "is_anomaly": column("is_anomaly"),
            "severity": words("severity", Severity),
            "direction": words("direction", Direction),
            "reason": words("reason", Reason),
            "episode_start": pa.array(
                np.concatenate([_episode_starts(f) for f in findings]), pa.timestamp("ms", "UTC")
            ),
        }
    )
    return table.rename_columns(
        [
            "series",
            "time",
            "value",
            "expected",
            "lower",
            "upper",
            "score",
            "is_anomaly",
            "severity",
            "direction",
            "reason",
            "episode_start",
        ]
    )


def _episode_starts(finding: Finding) -> np.ndarray[tuple[int, ...], np.dtype[np.datetime64]]:
    """The start of each anomalous row's episode; nothing for the other rows."""
    result = finding.result
    starts = np.full(len(result), np.datetime64("NaT"), "datetime64[ms]")
    for episode in episodes(result):
        rows = np.arange(episode.first, episode.last + 1)
        starts[rows[result.is_anomaly[rows]]] = episode.start
    return starts


def page(findings: list[Finding], title: str) -> str:
    """One HTML page with its pictures inside: no script, nothing fetched."""
    from service.tryout.chart import svg  # noqa: PLC0415 - matplotlib takes 0.3 s

    total = sum(len(f.anomalies) for f in findings)
    body = [
        f"<h1>{html.escape(title)}</h1>",
        f"<p>{total} anomalies in {len(findings)} series.",
        f" Not judged: {sum(f.not_judged for f in findings)} points.</p>",
    ]
    for finding in findings[:MOST_CHARTS]:
        body += [svg(finding), _anomaly_table(finding)]
    if len(findings) > MOST_CHARTS:
        body.append(f"<p>{len(findings) - MOST_CHARTS} calmer series are not drawn.</p>")
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    return (
        f"<!doctype html><html lang=en><head>{head}<title>{html.escape(title)}</title>"
        f"<style>{STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )


def _anomaly_table(finding: Finding) -> str:
    result = finding.result
    rows = []
    for i in finding.anomalies[::-1][:50]:
        severity = severity_word(int(result.severity[i]))
        rows.append(
            f"<tr><td>{time_text(result.times[i], True)}<td class=n>{number(result.values[i])}"
            f"<td class=n>{number(result.lower[i])} … {number(result.upper[i])}"
            f"<td class={severity}>{severity}"
        )
    if not rows:
        return ""
    return (
        "<table><tr><th>when (UTC)<th>value<th>expected range<th>severity"
        + "".join(rows)
        + "</table>"
    )
