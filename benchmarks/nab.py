"""All 58 files of the Numenta Anomaly Benchmark over HTTP, each detector with one configuration.

    python -m benchmarks.nab [--write]

Every file becomes one series of one source. Each detector judges each file over its whole range,
in a request of its own; what it found is held against the labelled windows. ``--write`` renews
docs/nab.md. The data is not part of the project: LUPUS_TEST_DATA names the folder that holds
``nab/``; without it this says so and ends.
"""

import csv
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
from rich.console import Console
from rich.progress import track

from service.demo.api import ENDED, Api
from service.demo.process import running_service

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "nab.md"
SOURCE = "bench.nab"
METRIC = "value"
# NAB does not score the first 15 % of a file: detectors may learn there.
PROBATION = 0.15

DETECTORS: Mapping[str, Mapping[str, Any]] = {
    "threshold": {"type": "threshold", "lower": 0.0, "upper": 100.0},
    "window": {"type": "window", "method": "robust", "k": 5.0},
    "prophet": {"type": "prophet"},
    "seasonal_esd": {
        "type": "seasonal_esd",
        "period": "1d",
        "max_anomalies": 0.002,
    },
}

PAGE_TEXT = """# The Numenta Anomaly Benchmark over HTTP

{files} files, {points:,} points, {windows} labelled windows; every file is one series of one
source, imported by one POST. Each detector has **one** configuration for all files and judges each
file over its whole range. A window counts as found when an anomaly lies inside it; the first 15 %
of each file do not count, as in NAB. Made by `python -m benchmarks.nab --write`.

{summary}

NAB's series are metrics of servers, traffic and tweets every 5 minutes to an hour, not of ML
products, and many of its labels mark things that one series does not show. One threshold for 58
unlike metrics means nothing: its row is here so that every detector is. NAB's own score, and a
choice of defaults by it, are work still to come.

## Configurations

{configurations}

## By group: windows found / labelled, anomalies outside windows

{by_group}
"""


@dataclass(frozen=True)
class NabFile:
    """One file: its labels as a series, its points and its labelled windows (naive UTC)."""

    group: str
    name: str
    rows: Sequence[tuple[str, float]]
    windows: Sequence[tuple[datetime, datetime]]

    @property
    def labels(self) -> dict[str, str]:
        """How the file is told apart from the others."""
        return {"group": self.group, "file": self.name}

    @property
    def start(self) -> datetime:
        """Time of the first point."""
        return _time(self.rows[0][0])

    @property
    def end(self) -> datetime:
        """Just after the last point."""
        return _time(self.rows[-1][0]) + timedelta(seconds=1)

    @property
    def scored_from(self) -> datetime:
        """Time of the first point that counts."""
        return _time(self.rows[int(PROBATION * len(self.rows))][0])


@dataclass
class Tally:
    """What one detector found in one group of files."""

    windows: int = 0
    found: int = 0
    inside: int = 0
    outside: int = 0
    judged: int = 0
    not_judged: int = 0
    seconds: float = 0.0
    missed: list[str] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        """Sum up."""
        for name in ("windows", "found", "inside", "outside", "judged", "not_judged"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.seconds += other.seconds
        self.missed += other.missed


def read_files(folder: Path) -> list[NabFile]:
    """All files that have labels, in order."""
    labelled = json.loads((folder / "combined_windows.json").read_text())
    files = []
    for path, windows in sorted(labelled.items()):
        group, name = path.split("/")
        with (folder / "data" / path).open() as file:
            rows = [(row["timestamp"], float(row["value"])) for row in csv.DictReader(file)]
        spans = [(_time(first), _time(last)) for first, last in windows]
        files.append(NabFile(group, name.removesuffix(".csv"), rows, spans))
    return files


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def import_files(api: Api, files: Sequence[NabFile]) -> None:
    """One CSV body for all of them."""
    api.call("PUT", f"/v1/sources/{SOURCE}", json={"kind": "managed"})
    lines = ["metric,group,file,time,value"]
    for file in files:
        # NAB's files repeat some timestamps; the last one counts, as in the detectors.
        newest = dict(file.rows)
        lines += [
            f"{METRIC},{file.group},{file.name},{time.replace(' ', 'T')}Z,{value!r}"
            for time, value in newest.items()
        ]
    answer = api.call(
        "POST",
        f"/v1/sources/{SOURCE}/points",
        content="\n".join(lines).encode(),
        headers={"content-type": "text/csv"},
    )
    ended = api.wait(f"/v1/ingests/{answer['id']}", lambda i: i["state"] in ("succeeded", "failed"))
    if ended["state"] != "succeeded":
        raise SystemExit(f"the points were refused: {ended}")


def request(file: NabFile, detector: Mapping[str, Any]) -> dict[str, Any]:
    """One file, its whole range, one detector."""
    return {
        "rule": f"{detector['type']}.{file.name}",
        "source": SOURCE,
        "metric": METRIC,
        "labels": {"file": file.name},
        "range": {"start": file.start.isoformat(), "end": file.end.isoformat()},
        "detector": dict(detector),
    }


def judge(api: Api, file: NabFile, detector: Mapping[str, Any]) -> Tally:
    """Run one detector over one file and hold its anomalies against the windows."""
    run = api.detect(request(file, detector))
    ended = api.wait(f"/v1/detections/{run}", lambda answer: answer["state"] in ENDED, every=0.05)
    if ended["state"] == "failed":
        raise SystemExit(f"{file.name}: {ended.get('error')}")
    rule = f"{detector['type']}.{file.name}"
    times = [datetime.fromisoformat(a["time"]) for a in api.anomalies(SOURCE, rule)]
    return hold_against(file, times, ended["counts"])


def hold_against(file: NabFile, times: Sequence[datetime], counts: Mapping[str, int]) -> Tally:
    """Count windows that hold an anomaly, and anomalies outside all windows."""
    times = [t for t in times if t >= file.scored_from]
    hit = [any(first <= t <= last for t in times) for first, last in file.windows]
    inside = sum(any(first <= t <= last for first, last in file.windows) for t in times)
    missed = [file.name] * (len(hit) - sum(hit))
    unjudged = counts["no_data"] + counts["insufficient_history"]
    return Tally(
        len(hit), sum(hit), inside, len(times) - inside, counts["judged"], unjudged, 0.0, missed
    )


def measure(api: Api, files: Sequence[NabFile], console: Console) -> dict[str, dict[str, Tally]]:
    """Tallies by detector and group."""
    tallies: dict[str, dict[str, Tally]] = {}
    for name, detector in DETECTORS.items():
        groups = tallies.setdefault(name, {})
        for file in track(files, description=f"{name:14}", console=console):
            began = time.perf_counter()
            tally = judge(api, file, detector)
            tally.seconds = time.perf_counter() - began
            groups.setdefault(file.group, Tally()).add(tally)
    return tallies


def page(tallies: Mapping[str, Mapping[str, Tally]], files: Sequence[NabFile]) -> str:
    """The Markdown page."""
    return PAGE_TEXT.format(
        files=len(files),
        points=sum(len(file.rows) for file in files),
        windows=sum(len(file.windows) for file in files),
        summary="\n".join(_summary(tallies)),
        configurations="\n".join(f"- `{json.dumps(dict(d))}`" for d in DETECTORS.values()),
        by_group="\n".join(_by_group(tallies)),
    )


def _summary(tallies: Mapping[str, Mapping[str, Tally]]) -> Iterator[str]:
    yield (
        "| detector | windows found | anomalies inside windows | outside windows "
        "| outside per 1,000 judged points | judged | not judged | seconds, 58 requests |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for name, groups in tallies.items():
        total = Tally()
        for tally in groups.values():
            total.add(tally)
        rate = 1000 * total.outside / max(total.judged, 1)
        yield (
            f"| {name} | {total.found} of {total.windows} | {total.inside:,} | {total.outside:,} "
            f"| {rate:.2f} | {total.judged:,} | {total.not_judged:,} | {total.seconds:.0f} |"
        )


def _by_group(tallies: Mapping[str, Mapping[str, Tally]]) -> Iterator[str]:
    yield "| group | " + " | ".join(tallies) + " |"
    yield "|---" * (len(tallies) + 1) + "|"
    for group in next(iter(tallies.values())):
        cells = [
            f"{tally[group].found}/{tally[group].windows}, {tally[group].outside:,}"
            for tally in tallies.values()
        ]
        yield f"| {group} | " + " | ".join(cells) + " |"


def main() -> int:
    """Run it; 0 also when the data is absent, which is said."""
    console = Console()
    folder = Path(os.environ.get("LUPUS_TEST_DATA", ROOT.parent / "shared" / "data")) / "nab"
    if not folder.is_dir():
        console.print("skipped: NAB's files are absent; LUPUS_TEST_DATA names the folder of nab/")
        return 0
    files = read_files(folder)
    try:
        with tempfile.TemporaryDirectory() as data, running_service(Path(data)) as api:
            import_files(api, files)
            text = page(measure(api, files, console), files)
    except httpx2.TransportError as error:
        raise SystemExit(f"the service went away: {error}") from error
    print(text)
    if "--write" in sys.argv:
        PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
