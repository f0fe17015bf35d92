"""Sides of a row: each gives one sample of its cost whenever it is its turn."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from benchmarks.detectors.cost import Sample
from benchmarks.detectors.environments import OURS, ROOT, THREADS, command, python
from benchmarks.detectors.errors import AbsentError


class Turns(Protocol):
    """A side that is ready to be measured."""

    @property
    def answer(self) -> Mapping[str, Any]:
        """What it found."""

    def sample(self) -> Sample:
        """Cost of one more turn."""


class Side(Protocol):
    """One side of a row."""

    @property
    def title(self) -> str: ...

    def begin(self, folder: Path) -> AbstractContextManager[Turns]:
        """Start it on the input that lies in a folder."""


@dataclass(frozen=True)
class Worker:
    """A process that has its input in memory and does its work whenever it is told to."""

    title: str
    environment: str
    module: str
    work: str
    series: int  # that one turn does; a sample is of one series

    @contextmanager
    def begin(self, folder: Path) -> Iterator["WorkerTurns"]:
        arguments = [*command(self.environment, self.module), self.work, str(folder)]
        with (folder / f"errors-{self.module}").open("w+") as errors:
            process = subprocess.Popen(
                [*arguments, str(self.series)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=errors, text=True, cwd=ROOT, env={**os.environ, **THREADS},
            )  # fmt: skip
            try:
                for line in process.stdout or ():
                    if line == "ready\n":
                        break
                else:
                    errors.seek(0)
                    raise AbsentError(f"{self.title} ended: {_last_line(errors.read())}")
                stem = self.module.rpartition(".")[2]
                written = (folder / f"answer-{stem}-{self.work}.json").read_text()
                yield WorkerTurns(process, self.series, json.loads(written))
            finally:
                process.communicate()


@dataclass
class WorkerTurns:
    """A worker that has done its work once."""

    process: "subprocess.Popen[str]"
    series: int
    answer: Mapping[str, Any]

    def sample(self) -> Sample:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return _read(self.process.stdout.readline()).per(self.series)


@dataclass(frozen=True)
class Started:
    """A new process of ours for each sample, which prints what it measured of itself."""

    title: str
    arguments: tuple[str, ...]
    answer: Mapping[str, Any]

    @contextmanager
    def begin(self, folder: Path) -> Iterator["Started"]:
        self.sample()  # reads files into the machine's cache
        yield self

    def sample(self) -> Sample:
        done = subprocess.run(
            [str(python(OURS)), *self.arguments], capture_output=True, text=True, cwd=ROOT,
            env={**os.environ, **THREADS}, check=False,
        )  # fmt: skip
        if done.returncode:
            raise AbsentError(f"{self.title} ended: {_last_line(done.stderr)}")
        return _read(done.stdout)


@dataclass(frozen=True)
class Fixed:
    """A side that is known without measuring."""

    title: str
    amount: float
    answer: Mapping[str, Any]

    @contextmanager
    def begin(self, folder: Path) -> Iterator["Fixed"]:
        yield self

    def sample(self) -> Sample:
        return Sample(self.amount, 0)


def _read(line: str) -> Sample:
    if len(line.split()) != 2:
        raise AbsentError(f"it printed {line!r} in the place of two numbers")
    wall, amount = map(float, line.split())
    return Sample(amount, wall)


def _last_line(text: str) -> str:
    return (text.strip() or "no message").splitlines()[-1]
