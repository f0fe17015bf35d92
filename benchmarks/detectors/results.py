"""The file of figures: what the page is made from."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from benchmarks.detectors.cost import Outcome
from benchmarks.detectors.growth import Curve

FILE = Path(__file__).resolve().parent.parent / "results" / "detectors.json"


class OtherMachineError(Exception):
    """The file's figures are of another machine, and ratios of two do not belong together."""


@dataclass
class Results:
    """Outcomes and curves of one machine, each by name."""

    machine: dict[str, Any]
    versions: dict[str, str]
    rows: dict[str, Outcome] = field(default_factory=dict)
    growth: dict[str, Curve] = field(default_factory=dict)

    @classmethod
    def read(cls, file: Path = FILE) -> Self:
        written = json.loads(file.read_text())
        results = cls(written["machine"], written["versions"])
        results.add(
            map(Outcome.from_dict, written["rows"]), map(Curve.from_dict, written["growth"])
        )
        return results

    def add(self, outcomes: Iterable[Outcome], curves: Iterable[Curve]) -> None:
        """Take the place of what is there of the same name."""
        self.rows |= {one.row: one for one in outcomes}
        self.growth |= {one.name: one for one in curves}

    def write(self, file: Path = FILE) -> None:
        written = {
            "machine": self.machine,
            "versions": dict(sorted(self.versions.items())),
            "rows": [one.to_dict() for one in self.rows.values()],
            "growth": [asdict(one) for one in self.growth.values()],
        }
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(written, indent=1) + "\n")


def gathered(
    file: Path,
    machine: Mapping[str, Any],
    versions: Mapping[str, str],
    outcomes: Iterable[Outcome],
    curves: Iterable[Curve],
) -> Results:
    """The file's figures with new ones.

    Raises
    ------
    OtherMachineError
        The file's figures are of another machine.
    """
    results = Results.read(file) if file.exists() else Results(dict(machine), dict(versions))
    if results.machine != machine:
        raise OtherMachineError(
            f"{file.name} holds figures of another machine: measure every row with --fresh, or "
            "write another file with --json"
        )
    results.versions = dict(versions)
    results.add(outcomes, curves)
    return results
