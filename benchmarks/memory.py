"""Peak memory of the processes below this one, sampled."""

import contextlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

EVERY_SECONDS = 0.1


@dataclass
class Peak:
    """Bytes; ``tree`` counts shared pages once for each process's share (PSS)."""

    tree: int = 0


@contextlib.contextmanager
def peak_memory() -> Iterator[Peak]:
    """Sample until the block ends."""
    peak, ended = Peak(), threading.Event()
    root = psutil.Process(os.getpid())

    def sample() -> None:
        while not ended.wait(EVERY_SECONDS):
            below = root.children(recursive=True)
            peak.tree = max(peak.tree, sum(_pss(process.pid) for process in below))

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()


def _pss(pid: int) -> int:
    """Proportional set size: forked children share their parent's pages."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0
