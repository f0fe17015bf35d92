"""What an explanation is made of, as plain data that JSON can carry."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

Scalar = float | int | str | bool | None

Kind = Literal[
    "value",
    "baseline",
    "bound",
    "direction",
    "minimum_change",
    "consecutive",
    "exclusion",
    "missing",
    "verdict",
]
"""What a step is about, in the order in which the steps stand."""

KINDS: tuple[Kind, ...] = get_args(Kind)

_INFINITE = {"inf": math.inf, "-inf": -math.inf}


@dataclass(frozen=True, slots=True)
class Fact:
    """One number, word or yes-or-no of a step.

    Attributes
    ----------
    name : str
    value : float, int, str, bool or None
        None where there is no such number.
    unit : str
        "value" for the series' own unit, "points", "steps", "ms", "time" (RFC 3339, UTC),
        "share"; empty for a plain number or word.
    """

    name: str
    value: Scalar
    unit: str = ""

    @property
    def written(self) -> Scalar:
        """The value as JSON: infinite numbers as "inf" and "-inf"."""
        if isinstance(self.value, float) and math.isinf(self.value):
            return "inf" if self.value > 0 else "-inf"
        return self.value


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the way from a value to its verdict: a sentence and the facts behind it."""

    kind: Kind
    says: str
    facts: tuple[Fact, ...] = ()

    def fact(self, name: str) -> Scalar:
        """Value of a fact; None where the step has none of this name."""
        return next((one.value for one in self.facts if one.name == name), None)


@dataclass(frozen=True)
class Explanation:
    """Why a point was, was not, or could not be judged an anomaly.

    Attributes
    ----------
    detector : mapping
        Type and parameters, as `detector_from_dict` takes them.
    time_ms : int
        Of the point, in epoch milliseconds.
    steps : tuple of Step
        One of each kind, in the order of `KINDS`.
    """

    detector: Mapping[str, Any]
    time_ms: int
    steps: tuple[Step, ...]

    def step(self, kind: Kind) -> Step:
        """Look up the step of a kind; KeyError where there is none."""
        for one in self.steps:
            if one.kind == kind:
                return one
        raise KeyError(kind)

    def to_dict(self) -> dict[str, Any]:
        """Write as JSON."""
        return {
            "detector": dict(self.detector),
            "time_ms": self.time_ms,
            "steps": [
                {
                    "kind": step.kind,
                    "says": step.says,
                    "facts": [
                        {"name": one.name, "value": one.written, "unit": one.unit}
                        for one in step.facts
                    ],
                }
                for step in self.steps
            ],
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Explanation":
        """Read what `to_dict` wrote."""
        return cls(
            detector=dict(content["detector"]),
            time_ms=content["time_ms"],
            steps=tuple(
                Step(
                    step["kind"],
                    step["says"],
                    tuple(
                        Fact(one["name"], _read(one["value"]), one["unit"]) for one in step["facts"]
                    ),
                )
                for step in content["steps"]
            ),
        )


def _read(value: Any) -> Scalar:
    read: Scalar = _INFINITE.get(value, value) if isinstance(value, str) else value
    return read
