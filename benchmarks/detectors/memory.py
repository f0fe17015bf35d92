"""How much peak memory grows for each further million points in flight.

    python -m benchmarks.detectors.memory TYPE

Prints 0 and bytes per million points: the difference of two processes that judge 10 and 20
million points and hold series and results together. Prophet judges the last seven days of each
series, the others every point.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np

from benchmarks.detectors.examples import example
from detectors import Series

MILLIONS = (10, 20)
POINTS = 1_000


def peak_bytes(type_: str, millions: int) -> int:
    """Judge in this process and say its peak."""
    rng = np.random.default_rng(1)
    values = rng.standard_normal((millions * 1_000_000 // POINTS, POINTS))
    days = np.datetime64("2024-01-01") + np.arange(POINTS)
    first = Series(days, values[0])
    series = [Series(first.epoch_ms, row) for row in values]
    start = first.times[-7] if type_ == "prophet" else None
    results = example(type_).detect_many(series, start)
    assert len(results) == len(series)
    # Not getrusage: its peak is inherited from the parent.
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def main() -> None:
    if len(sys.argv) == 3:
        print(peak_bytes(sys.argv[1], int(sys.argv[2])))
        return
    command = [sys.executable, "-m", "benchmarks.detectors.memory", sys.argv[1]]
    peaks = [
        int(subprocess.run([*command, str(millions)], capture_output=True, check=True).stdout)
        for millions in MILLIONS
    ]
    print(0, (peaks[1] - peaks[0]) / (MILLIONS[1] - MILLIONS[0]))


if __name__ == "__main__":
    main()
