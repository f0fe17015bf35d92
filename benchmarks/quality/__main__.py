"""Detection quality: NAB's files and planted anomalies, docs/quality.md from what was measured.

    python -m benchmarks.quality              measures all of it, about 15 minutes on two cores
    python -m benchmarks.quality --quick      a look in a minute; writes nothing
    python -m benchmarks.quality --page       writes the page again from results.json

The full run writes results.json beside this file, docs/quality.md and its picture. NAB's files are
not part of the project: LUPUS_TEST_DATA names the folder that holds nab/; without them the rows of
the run before stay, and that is said.
"""

import argparse
import json
import sys
from typing import Any

from rich.console import Console

from benchmarks.quality import nab, page
from benchmarks.quality.nab_files import ABSENT, folder
from benchmarks.quality.planted import FULL, QUICK, measured


def main() -> int:
    """Run it; 0 also when NAB's files are absent, which is said."""
    asked = argparse.ArgumentParser(prog="python -m benchmarks.quality")
    asked.add_argument("--quick", action="store_true", help="fewer series, nothing written")
    asked.add_argument("--page", action="store_true", help="only write the page again")
    given = asked.parse_args()
    console = Console()
    if given.page:
        page.write(json.loads(page.RESULTS.read_text()))
        return 0
    planted = measured(QUICK if given.quick else FULL)
    if given.quick:
        console.print(page.planted_tables(planted))
        return 0
    results = {"nab": _nab(console), "planted": planted}
    page.RESULTS.write_text(page.dumped(results))
    page.write(results)
    console.print(page.text(results))
    return 0


def _nab(console: Console) -> list[dict[str, Any]]:
    place = folder()
    if place is not None:
        return list(nab.measured(place))
    console.print(f"not renewed: {ABSENT}")
    before: list[dict[str, Any]] = json.loads(page.RESULTS.read_text())["nab"]
    return before


if __name__ == "__main__":
    sys.exit(main())
