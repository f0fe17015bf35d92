"""Rules for numbers."""

from dataclasses import dataclass
from typing import ClassVar, Optional

import numpy as np

from lupus.checks.finding import Finding, number, percent
from lupus.checks.rule import Rule, Seen, require
from lupus.errors import ChecksError

_LARGEST = float(np.nextafter(np.finfo(np.float64).max, 0))  # a bin's end has a number after it


@dataclass(frozen=True)
class Range(Rule):
    """Numbers lie in a range, but for a share of them."""

    name: ClassVar[str] = "range"
    families: ClassVar[tuple[str, ...]] = ("number",)
    at_least: Optional[float] = None
    at_most: Optional[float] = None
    outside: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.at_least is None and self.at_most is None:
            raise ChecksError("a range has at_least, at_most, or both")
        for name, value in (("at_least", self.at_least), ("at_most", self.at_most)):
            if value is not None:
                require(name, value, -_LARGEST, _LARGEST)
        low, high = self.edges
        if low > high:
            raise ChecksError(f"a range has at_least <= at_most, not {number(low)}, {number(high)}")
        require("outside", self.outside, 0, 1)

    @property
    def edges(self) -> tuple[float, float]:
        """Bounds; the largest numbers where there is none."""
        low = -_LARGEST if self.at_least is None else float(self.at_least)
        high = _LARGEST if self.at_most is None else float(self.at_most)
        return low, high

    def look(self, seen: Seen) -> Finding:
        """Measure the share of numbers outside."""
        low, high = self.edges
        within = " and ".join(
            ([] if self.at_least is None else [f"at least {number(low)}"])
            + ([] if self.at_most is None else [f"at most {number(high)}"])
        )
        allowed = f"{within}, but for {percent(self.outside)}"
        state = seen.numeric
        rows = state.moments.count + state.infinities if state else 0
        if state is None or state.histogram is None or not rows:
            return self.found(
                seen,
                None,
                "no numbers",
                allowed,
                measures=dict.fromkeys(("outside_share", "min", "max")),
            )
        outside = int(state.histogram[0] + state.histogram[2]) + state.infinities
        ends = [state.low] * (state.low < low) + [state.high] * (state.high > high)
        examples = [number(end) for end in ends] + ["infinite"] * bool(state.infinities)
        return self.found(
            seen,
            outside / rows <= self.outside,
            f"{outside:,} of {rows:,} numbers lie outside",
            allowed,
            measures={"outside_share": outside / rows, "min": state.low, "max": state.high},
            examples=tuple(examples),
        )


@dataclass(frozen=True)
class Quartiles(Rule):
    """Quartiles are where they were, within a multiple of the distance of the outer two."""

    name: ClassVar[str] = "quartiles"
    families: ClassVar[tuple[str, ...]] = ("number",)
    severity: str = "warn"
    p25: float = 0.0
    p50: float = 0.0
    p75: float = 0.0
    shift: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("p25", "p50", "p75"):
            require(name, getattr(self, name))
        require("shift", self.shift, 0)

    def look(self, seen: Seen) -> Finding:
        """Measure the greatest shift of a quartile."""
        before = (self.p25, self.p50, self.p75)
        unit = self.p75 - self.p25 or abs(self.p50) or 1.0
        spread = "the quartiles' distance" if self.p75 > self.p25 else "the median"
        allowed = f"{', '.join(map(number, before))}, each within {self.shift:g} of {spread}"
        state = seen.numeric
        if state is None or state.quantiles is None or not state.quantiles.count:
            none = dict.fromkeys(("quartiles_shift", "p25", "p50", "p75"))
            return self.found(seen, None, "no numbers", allowed, measures=none)
        now = [value or 0.0 for value in state.quantiles.quantiles([0.25, 0.5, 0.75])]
        shift = max(abs(one - two) for one, two in zip(now, before)) / unit
        measures = dict(zip(("p25", "p50", "p75"), now))
        return self.found(
            seen,
            shift <= self.shift,
            f"quartiles are {', '.join(map(number, now))}: shifted by {shift:.3g}",
            allowed,
            measures={"quartiles_shift": shift, **measures},
        )
