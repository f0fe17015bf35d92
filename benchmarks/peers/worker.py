"""How a measurement talks with the process of one side; runs on Python 3.7 and later.

    python -m MODULE WORK FOLDER SERIES

The folder holds values.f64 (rows of float64) and input.json (their shape and facts). The process
does the work once, which loads and compiles what there is to compile, writes what it found to
answer-MODULE-WORK.json, and prints "ready". For each line on its input it then does the work again
and prints the wall seconds and the processor seconds that it took.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Facts = Mapping[str, Any]
    Work = Callable[[], Any]
    Told = Callable[[Any], Mapping[str, Any]]
    Side = Callable[[Any, Facts], tuple[Work, Told]]

# Shorter work is repeated: the clock's grain would decide it.
LEAST_SECONDS = 0.05
MOST_REPEATS = 100


def serve(sides: Mapping[str, Side]) -> None:
    """Do the work that the command names.

    A side takes the first SERIES rows of the values, and the facts. It gives two functions: the
    work itself, and one that puts its outcome into what JSON can hold.
    """
    name, folder, series = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    described = json.loads((folder / "input.json").read_text())
    facts = dict(described, folder=str(folder))
    values = np.fromfile(str(folder / "values.f64")).reshape(-1, facts["points"])
    work, told = sides[name](values[:series], facts)
    answer = json.dumps(told(work()))
    (folder / f"answer-{Path(sys.argv[0]).stem}-{name}.json").write_text(answer)
    repeats = min(MOST_REPEATS, 1 + int(LEAST_SECONDS / max(1e-9, _seconds(work, 1)[1])))
    print("ready", flush=True)
    for _ in sys.stdin:
        print("{!r} {!r}".format(*_seconds(work, repeats)), flush=True)


def _seconds(work: Work, repeats: int) -> tuple[float, float]:
    wall, processor = time.perf_counter(), time.process_time()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - wall) / repeats, (time.process_time() - processor) / repeats
