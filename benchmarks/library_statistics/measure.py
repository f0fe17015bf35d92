"""Time and memory of one side, in a process of its own."""

import ast
import json
import os
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.detectors.environments import python as environment
from benchmarks.detectors.errors import AbsentError

HERE = Path(__file__).resolve().parent
LIBRARY = HERE.parents[1] / "library"
SPARK = "LUPUS_TEST_PYSPARK"
POLL_SECONDS = 0.02
ENVIRONMENTS = {name: name for name in ("evidently", "whylogs", "ydata_profiling", "pandera")}


@dataclass(frozen=True)
class Measured:
    """Best wall and processor seconds, most memory beyond what the loaded table takes."""

    side: str
    rows: int
    seconds: float
    processor_seconds: float
    memory_bytes: int
    lines: int
    answer: dict[str, float]


def interpreter(side: str) -> str:
    """The Python of a side.

    Raises
    ------
    AbsentError
        It is not there.
    """
    if side.endswith("spark"):
        if SPARK not in os.environ:
            raise AbsentError(f"{SPARK} is not set: `tests/servers/servers.py up pyspark`")
        return os.environ[SPARK]
    return str(environment(ENVIRONMENTS.get(side, "lupus")))


def measure(side: str, table: Path, rows: int, repeats: int) -> Measured:
    """Load the table, work a few times, keep the best time and the most memory."""
    command = [interpreter(side), str(HERE / "worker.py"), side, str(table)]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(LIBRARY)},
    ) as process:
        said: list[str] = []
        assert process.stderr is not None
        reader = threading.Thread(target=lambda: said.extend(process.stderr or ()), daemon=True)
        reader.start()
        try:
            return _measured(side, rows, repeats, process)
        except AbsentError as error:
            process.wait()
            reader.join(5)
            raise AbsentError(f"{side}: {error}\n{''.join(said)[-2000:]}") from None
        finally:
            process.kill()


def _measured(side: str, rows: int, repeats: int, process: "subprocess.Popen[str]") -> Measured:
    _line(process, "ready")
    with Watch(process.pid) as watch:
        answers = []
        for _ in range(repeats):
            before = watch.processor_seconds()
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
            wall, processor, found = json.loads(_line(process, "answer"))
            spent = watch.processor_seconds() - before if side.endswith("spark") else processor
            answers.append((wall, spent, found))
    seconds, processor_seconds = (min(one[at] for one in answers) for at in (0, 1))
    answer = answers[0][2]
    return Measured(side, rows, seconds, processor_seconds, watch.grown, lines(side), answer)


def _line(process: "subprocess.Popen[str]", begins: str) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(begins):
            return line[len(begins) :].strip()
    raise AbsentError("its process ended")


class Watch:
    """Memory of a process and its children while it works."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._first = self._most = self._now()
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    @property
    def grown(self) -> int:
        return self._most - self._first

    def processor_seconds(self) -> float:
        return sum(sum(one.cpu_times()[:4]) for one in self._all())

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ends.is_set():
            self._most = max(self._most, self._now())
            time.sleep(POLL_SECONDS)

    def _now(self) -> int:
        total = 0
        for one in self._all():
            try:
                total += one.memory_info().rss
            except psutil.Error:
                continue
        return total

    def _all(self) -> list[psutil.Process]:
        return [self._process, *self._process.children(recursive=True)]


def lines(side: str) -> int:
    """Lines of code that a user writes, without imports and blank lines."""
    text = (HERE / "sides" / f"{side}.py").read_text()
    imports = {
        at
        for node in ast.parse(text).body
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for at in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    return sum(
        1 for at, line in enumerate(text.splitlines(), 1) if line.strip() and at not in imports
    )
