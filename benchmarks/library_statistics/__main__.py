"""Measure statistics of a table, both sides of each pair in one run.

    python -m benchmarks.library_statistics [--rows 3000000] [--peer-rows 300000] [--repeats 2]

Pairs first compare their answers. Figures go to benchmarks/results/library_statistics.json, and the
table of docs/statistics.md is made from them. Spark needs LUPUS_TEST_PYSPARK.
"""

import argparse
import json
import os
import sys
import tempfile
from dataclasses import asdict
from math import isclose
from pathlib import Path

from benchmarks.detectors.errors import AbsentError
from benchmarks.library_statistics import page, table
from benchmarks.library_statistics.measure import Measured, measure

RESULTS = Path(__file__).resolve().parents[1] / "results" / "library_statistics.json"
PAIRS = ("pandas", "polars", "spark")
PEERS = ("lupus_pandas", "hand_pandas", "pandera", "whylogs", "evidently", "ydata_profiling")
# Of quantiles: Lupus keeps 2048 buckets; Spark's own has this error of ranks by 1000 buckets.
TOLERANCES = {"p5": 0.05, "p25": 0.05, "p50": 0.05, "p75": 0.05, "p95": 0.05, "p99": 0.05}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=3_000_000)
    parser.add_argument("--peer-rows", type=int, default=300_000)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--only", nargs="*", default=[*PAIRS, "peers"])
    told = parser.parse_args()
    folder = Path(tempfile.gettempdir()) / "lupus-benchmark"
    for pair in (pair for pair in PAIRS if pair in told.only):
        sides = (f"lupus_{pair}", f"hand_{pair}")
        _keep(pair, _together(sides, folder, told.rows, told.repeats))
    if "peers" in told.only:
        _keep("peers", _together(PEERS, folder, told.peer_rows, told.repeats))
    return 0


def _keep(name: str, found: list[object]) -> None:
    """Put figures beside those that are kept, and into the page."""
    kept = json.loads(RESULTS.read_text())["measured"] if RESULTS.exists() else {}
    kept[name] = found
    load = round(os.getloadavg()[0], 1)
    RESULTS.write_text(json.dumps({"load": load, "measured": kept}, indent=1) + "\n")
    page.write(kept)


def _together(sides: tuple[str, ...], folder: Path, rows: int, repeats: int) -> list[object]:
    path = table.write(folder, rows)
    found: list[Measured] = []
    absent: list[object] = []
    for side in sides:
        try:
            found.append(measure(side, path, rows, repeats))
        except AbsentError as error:
            absent.append({"side": side, "rows": rows, "absent": _reason(error)})
            print(f"{side}: {error}", file=sys.stderr)
            continue
        print(_shown(found[-1]), flush=True)
    if len(found) > 1:
        _compare(found[0], found[1])
    return [_kept(one) for one in found] + absent


def _reason(error: AbsentError) -> str:
    """Say its last words, without where they were said."""
    return str(error).strip().splitlines()[-1].partition(" (/")[0]


def _compare(ours: Measured, others: Measured) -> None:
    """What both sides say of the same column must be the same."""
    both = ours.answer.keys() & others.answer.keys()
    wrong = [
        f"{name}: {ours.answer[name]} and {others.answer[name]}"
        for name in sorted(both)
        if not isclose(
            ours.answer[name],
            others.answer[name],
            rel_tol=TOLERANCES.get(name.rpartition(".")[2], 1e-4),
            abs_tol=0.05 if name.rpartition(".")[2] in TOLERANCES else 1e-4,
        )
    ]
    print(f"  {len(both)} numbers compared with {others.side}, {len(wrong)} differ {wrong[:5]}")


def _kept(one: Measured) -> dict[str, object]:
    return {name: value for name, value in asdict(one).items() if name != "answer"}


def _shown(one: Measured) -> str:
    return (
        f"{one.side:16} {one.rows:9} rows {one.seconds:7.2f} s, {one.processor_seconds:7.2f} s of "
        f"processor, {one.memory_bytes / 1e6:7.0f} MB, {one.lines} lines"
    )


if __name__ == "__main__":
    sys.exit(main())
