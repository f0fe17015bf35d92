"""Measure, write the figures, and make the page and its picture.

python -m benchmarks.detectors                   every row and the growth of every detector
python -m benchmarks.detectors esd-long-k02-r    only these rows, or growth-TYPE
python -m benchmarks.detectors --quick           one turn each; nothing is written
python -m benchmarks.detectors --page            the page again, from the figures
python -m benchmarks.detectors --check           whether page and picture show the figures
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.detectors.cost import Outcome
from benchmarks.detectors.examples import types
from benchmarks.detectors.growth import MOST_SECONDS, Curve, measure_growth
from benchmarks.detectors.machine import machine, versions
from benchmarks.detectors.page import PAGE, written_page
from benchmarks.detectors.picture import draw, is_current
from benchmarks.detectors.results import FILE, OtherMachineError, Results, gathered
from benchmarks.detectors.row import Row
from benchmarks.detectors.rows import ROWS

NAMES = [*(row.name for row in ROWS), *(f"growth-{type_}" for type_ in types())]
QUICK_SECONDS = 2.0


def main() -> int:
    options = _options()
    if options.check:
        return _check()
    if options.page:
        _publish(Results.read())
        return 0
    file: Path = options.json
    if options.fresh:
        file.unlink(missing_ok=True)
    wanted = set(options.rows or NAMES)
    _measure_rows(wanted, file, quick=options.quick)
    _measure_growth(wanted, file, quick=options.quick)
    if not options.quick and file == FILE:
        _publish(Results.read())
    return 0


def _measure_rows(wanted: set[str], file: Path, *, quick: bool) -> None:
    for row in ROWS:
        if row.name in wanted:
            outcome = row.measure(1 if quick else None)
            print(_line(row, outcome), flush=True)
            if not quick:
                _keep(file, [outcome], [])


def _measure_growth(wanted: set[str], file: Path, *, quick: bool) -> None:
    for type_ in types():
        if f"growth-{type_}" in wanted:
            for curve in measure_growth(type_, QUICK_SECONDS if quick else MOST_SECONDS):
                taken = ", ".join(f"{size}: {one:.3g} s" for size, one in curve.seconds.items())
                print(f"{curve.name:28s} {taken}", flush=True)
                if not quick:
                    _keep(file, [], [curve])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.detectors",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("rows", nargs="*", metavar="ROW", help=", ".join(NAMES))
    parser.add_argument("--quick", action="store_true", help="one turn each; nothing is written")
    parser.add_argument("--fresh", action="store_true", help="forget the figures in the file")
    parser.add_argument("--json", type=Path, default=FILE, help="another file of figures")
    parser.add_argument("--page", action="store_true", help="make the page from the figures")
    parser.add_argument("--check", action="store_true", help="fail when the page is out of date")
    options = parser.parse_args()
    if unknown := set(options.rows) - set(NAMES):
        parser.error(f"there is no row {', '.join(sorted(unknown))}; rows: {', '.join(NAMES)}")
    return options


def _keep(file: Path, outcomes: Sequence[Outcome], curves: Sequence[Curve]) -> None:
    try:
        results = gathered(file, machine(), versions(), outcomes, curves)
    except OtherMachineError as error:
        raise SystemExit(str(error)) from None
    results.write(file)


def _line(row: Row, outcome: Outcome) -> str:
    if outcome.ours is None or outcome.peer is None:
        return f"{row.name:28s} not measured: {outcome.absent}"
    ours, peer = outcome.ours, outcome.peer
    goal = row.goal
    wanted = f"; goal {goal.least:g}x, aim {goal.aim:g}x" if goal else ""
    return (
        f"{row.name:28s} {row.ratio(ours.median, peer.median):9.2f}x{wanted}; "
        f"ours {ours.median:.3g} ({ours.least:.3g} to {ours.most:.3g}), {row.peer.title} "
        f"{peer.median:.3g} ({peer.least:.3g} to {peer.most:.3g}) {row.unit}; "
        f"{outcome.agreement or 'no answers to compare'}; load {outcome.load:g}"
    )


def _publish(results: Results) -> None:
    draw(results)
    PAGE.write_text(written_page(results))


def _check() -> int:
    results = Results.read()
    if written_page(results) == PAGE.read_text() and is_current(results):
        return 0
    print("out of date: make it again with python -m benchmarks.detectors --page")
    return 1


if __name__ == "__main__":
    sys.exit(main())
