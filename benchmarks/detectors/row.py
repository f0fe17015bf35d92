"""A row: what we do against one peer that does the same, and how it is measured."""

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.detectors.cost import Outcome, Spread, Unit
from benchmarks.detectors.errors import AbsentError, DisagreementError
from benchmarks.detectors.goals import Goal
from benchmarks.detectors.side import Side

Answer = Mapping[str, Any]


@dataclass(frozen=True)
class Given:
    """What both sides get: series of one length as rows, and facts that JSON can hold."""

    values: NDArray[np.float64]
    facts: Mapping[str, Any] = field(default_factory=dict)
    file: Callable[[Path, NDArray[np.float64]], None] | None = None  # writes a further one

    def write(self, folder: Path) -> None:
        self.values.astype("<f8").tofile(folder / "values.f64")
        facts = {"points": self.values.shape[1], **self.facts}
        (folder / "input.json").write_text(json.dumps(facts))
        if self.file:
            self.file(folder, self.values)


@dataclass(frozen=True)
class Row:
    """One line of the table.

    ``check`` says in words how far both answers agree, or raises `DisagreementError`.
    """

    name: str
    what: str
    ours: Side
    peer: Side
    check: Callable[[Answer, Answer], str]
    goal: Goal | None = None
    given: Callable[[], Given] | None = None
    rounds: int = 7
    unit: Unit = "s"

    def ratio(self, ours: float, peer: float) -> float:
        """Above 1 is good for us, unless the goal says that less is better."""
        return ours / peer if self.goal and self.goal.better == "less" else peer / ours

    def measure(self, rounds: int | None = None) -> Outcome:
        """Let both sides take turns."""
        date = f"{datetime.now(UTC):%Y-%m-%d}"
        load = round(os.getloadavg()[0], 1)
        with tempfile.TemporaryDirectory(prefix="lupus-bench-") as name:
            folder = Path(name)
            if self.given:
                self.given().write(folder)
            try:
                with self.ours.begin(folder) as ours, self.peer.begin(folder) as peer:
                    agreement = self.check(ours.answer, peer.answer)
                    turns = [(ours.sample(), peer.sample()) for _ in range(rounds or self.rounds)]
            except AbsentError as error:
                return Outcome(self.name, date, load, absent=str(error))
            except DisagreementError as error:
                return Outcome(self.name, date, load, absent=f"answers differ: {error}")
        mine, theirs = (Spread.of(samples) for samples in zip(*turns, strict=True))
        return Outcome(self.name, date, load, mine, theirs, len(turns), agreement)
