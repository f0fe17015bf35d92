"""From a judged frame to the steps of one point's explanation.

The arithmetic of the verdict is `detectors.finish`'s own: it is asked here, with one rule changed
where that tells which rule decided, and never repeated.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from detectors.bands import Bands
from detectors.decision import Decision
from detectors.explain.account import Account, fact
from detectors.explain.cell import Cell
from detectors.explain.explanation import Explanation, Fact, Kind, Step
from detectors.explain.sentences import (
    anomaly_words,
    bound_words,
    direction_words,
    least_words,
    range_words,
    run_words,
    silence_words,
)
from detectors.explain.words import counted, length, number, ordinal, utc, wall
from detectors.finish import OutputRules, decide, last_reported
from detectors.frame import Frame
from detectors.result import Direction, Reason, Severity

if TYPE_CHECKING:
    from detectors.detector import Detector

_UNJUDGED = (Reason.NO_DATA, Reason.INSUFFICIENT_HISTORY)


def explained(detector: "Detector", frame: Frame, column: int) -> Explanation:
    """Explain the point in a reported column of a frame of one series."""
    rules, bands = detector.output_rules(frame.grid), detector.bands(frame).spelled_out()
    trace = _Trace.of(rules, frame, bands, column)
    account = detector.account(frame, column)
    time_ms = int(frame.times[0, column])
    return Explanation(detector.to_dict(), time_ms, tuple(trace.steps(account)))


@dataclass(frozen=True)
class _Trace:
    """One point: what was decided, by what, and the words for it."""

    rules: OutputRules
    frame: Frame
    column: int
    cell: Cell
    decision: Decision
    at: int  # the judged column
    in_a_row: int

    @classmethod
    def of(cls, rules: OutputRules, frame: Frame, bands: Bands, column: int) -> "_Trace":
        values, last = frame.values[:, frame.judged], last_reported(frame)
        at = column - frame.judged.start
        decision = decide(rules, values, last, bands)
        cell = Cell.of(values, bands, at, last[0] == at)

        def long_enough(count: int) -> bool:
            asked = decide(replace(rules, consecutive=count), values, [None], bands)
            return bool(asked.is_anomaly[0, at])

        return cls(rules, frame, column, cell, decision, at, _largest(long_enough, rules))

    def steps(self, account: Account) -> Iterator[Step]:
        yield self._value()
        yield self._baseline(account)
        yield self._bound()
        yield self._direction()
        yield self._minimum_change()
        yield self._consecutive()
        yield self._exclusion()
        yield self._missing(account)
        yield self._verdict()

    @property
    def reason(self) -> Reason:
        return Reason(int(self.decision.reason[0, self.at]))

    @property
    def is_anomaly(self) -> bool:
        return bool(self.decision.is_anomaly[0, self.at])

    @property
    def decided_by(self) -> Kind:
        """Which step the verdict hangs on."""
        if self.reason in _UNJUDGED:
            return "missing"
        if self.reason == Reason.NOT_CONSECUTIVE:
            return "consecutive"
        if self.reason == Reason.BELOW_MIN_CHANGE:
            return "minimum_change"
        if not self.is_anomaly and self._elsewhere.is_anomaly[0, 0]:
            return "direction"
        return "bound"

    @property
    def _elsewhere(self) -> Decision:
        """What it would be if one point sufficed and both sides were watched."""
        return self.cell.decide(replace(self.rules, consecutive=1, direction="both"))

    def _bounds(self, name: str) -> float:
        array = getattr(self.decision.bounds, name)
        return float(np.broadcast_to(array, self.decision.score.shape)[0, self.at])

    def _value(self) -> Step:
        frame, column = self.frame, self.column
        given, when = float(frame.given[0, column]), wall(int(frame.wall[column]))
        zone = frame.grid.timezone
        if np.isfinite(given):
            says = f"The value of {when} ({zone}) is {number(given)}."
        elif np.isinf(given):
            says = f"The value of {when} ({zone}) is infinite, which counts as no data."
        else:
            says = f"There is no value for {when} ({zone})."
        facts = (
            Fact("time", utc(int(frame.times[0, column])), "time"),
            Fact("value", self.cell.fact("value"), "value"),
            Fact("step", frame.grid.step_ms, "ms"),
        )
        return Step("value", says, facts)

    def _baseline(self, account: Account) -> Step:
        names = ("expected", "baseline_size", "insufficient", "spreadless")
        own = tuple(Fact(name, self.cell.fact(name), _UNIT.get(name, "")) for name in names)
        says = account.says
        if self.cell.spreadless and self.reason not in _UNJUDGED:
            says += " It has no spread at all"
            capped = not self.rules.least_change(np.array(self.cell.expected)) > 0
            says += ": an anomaly is at most a warning." if capped else "."
        return Step("baseline", says, (*account.facts, *own))

    def _bound(self) -> Step:
        cell, rules = self.cell, self.rules
        lower, upper = self._bounds("lower"), self._bounds("upper")
        centre = self._bounds("expected") if cell.centre is None else cell.centre
        facts = (
            *(Fact(f"band_{side}", cell.fact(side), "value") for side in ("lower", "upper")),
            Fact("clip_lower", rules.clip_lower, "value"),
            Fact("clip_upper", rules.clip_upper, "value"),
            fact("lower", lower, "value"),
            fact("upper", upper, "value"),
            fact("centre", centre, "value"),
            Fact("member", cell.fact("member")),
            Fact("member_score", cell.fact("score")),
            Fact("difference", cell.fact("difference"), "value"),
            Fact("severity_if", cell.fact("severity")),
        )
        return Step("bound", self._bound_words(lower, upper), facts)

    def _bound_words(self, lower: float, upper: float) -> str:
        if self.reason in _UNJUDGED and np.isnan(lower) and np.isnan(upper):
            return "There is no bound to compare with."
        widened = lower < self._band("lower") or upper > self._band("upper")
        normal = "With the least change that counts, normal" if widened else "Normal"
        words = f"{normal} is what lies {range_words(lower, upper)}"
        if self.reason in _UNJUDGED:
            return f"{words}; there is nothing to compare with it."
        if self.cell.member is not None:
            counts = "counts" if self.cell.member else "does not count"
            return f"{words}. The test {counts} the point among the anomalies of the series."
        return bound_words(self.cell.value, lower, upper, normal=normal)

    def _band(self, side: str) -> float:
        """Give a bound as it is before the least change that counts moves it."""
        if not self.rules.has_min_change:
            return self._bounds(side)
        rules = replace(self.rules, min_abs_change=0.0, min_rel_change=0.0)
        return float(getattr(self.cell.decide(rules).bounds, side).item())

    def _direction(self) -> Step:
        direction = self.rules.direction
        says = direction_words(direction)
        if self.decided_by == "direction":
            says += f" This is a {'drop' if direction == 'up' else 'rise'}: not an anomaly."
        return Step("direction", says, (Fact("watched", direction),))

    def _minimum_change(self) -> Step:
        rules = self.rules
        least = float(rules.least_change(np.array(self._bounds("expected"))))
        difference = self.cell.difference
        if difference is None:
            difference = self.cell.value - self._bounds("expected")
        change = abs(difference)
        facts = (
            Fact("min_abs_change", rules.min_abs_change, "value"),
            Fact("min_rel_change", rules.min_rel_change, "share"),
            fact("least", least, "value"),
            fact("change", change, "value"),
        )
        if not rules.has_min_change:
            return Step("minimum_change", "Any difference counts.", facts)
        if self.reason in _UNJUDGED or np.isnan(least):
            return Step("minimum_change", "There is no difference to measure.", facts)
        says = least_words(least)
        if self.reason == Reason.BELOW_MIN_CHANGE:
            says += f"; this one is {number(change)}: held back."
        else:
            says += f"; this one is {number(change)}."
        return Step("minimum_change", says, facts)

    def _consecutive(self) -> Step:
        needed = self.rules.consecutive
        facts = (
            Fact("needed", needed, "steps"),
            Fact("in_a_row", self.in_a_row, "steps"),
            Fact("max_gap", self.rules.max_gap_slots, "steps"),
        )
        if needed == 1:
            return Step("consecutive", "One point beyond its bound is enough.", facts)
        says = run_words(needed)
        if self.in_a_row:
            says += f"; this is the {ordinal(self.in_a_row)}"
            says += ": held back" if self.in_a_row < needed else ""
        return Step("consecutive", f"{says}.", facts)

    def _exclusion(self) -> Step:
        excluded = not bool(self.frame.usable[self.column])
        says = "The point lies on no holiday and in no excluded range."
        if excluded:
            says = (
                "The point lies on a holiday or in an excluded range: it is judged all the same, "
                "and kept out of the baselines of others."
            )
        return Step("exclusion", says, (Fact("excluded", excluded),))

    def _missing(self, account: Account) -> Step:
        policy = self.rules.no_data
        facts = (Fact("no_data", policy), Fact("is_last", self.cell.is_last))
        if self.reason == Reason.NO_DATA:
            return Step("missing", silence_words(policy, self.cell.is_last), facts)
        if self.reason == Reason.INSUFFICIENT_HISTORY:
            says, more = _too_little(account, int(self.frame.times[0, self.column]),
                                     self.frame.grid.step_ms)  # fmt: skip
            return Step("missing", says, (*facts, *more))
        return Step("missing", "There is a value and enough history.", facts)

    def _verdict(self) -> Step:
        found, at = self.decision, self.at
        severity = Severity(int(found.severity[0, at]))
        direction = Direction(int(found.direction[0, at]))
        score = float(found.score[0, at])
        facts = (
            Fact("is_anomaly", self.is_anomaly),
            fact("score", score),
            Fact("severity", severity.name.lower()),
            Fact("direction", direction.name.lower()),
            Fact("reason", self.reason.name.lower()),
            Fact("decided_by", self.decided_by),
            Fact("major", self.rules.major),
            Fact("critical", self.rules.critical),
        )
        return Step("verdict", self._verdict_words(severity, score), facts)

    def _verdict_words(self, severity: Severity, score: float) -> str:
        if self.reason == Reason.NO_DATA:
            says = "There is no data"
            return (
                f"{says}: {severity.name.lower()}." if severity else f"Not judged: {says.lower()}."
            )
        if self.reason == Reason.INSUFFICIENT_HISTORY:
            return "Not judged: there is too little history."
        if self.is_anomaly:
            measured = self.cell.severity is None and self.cell.member is None
            return anomaly_words(severity.name.lower(), score, measured)
        why = {
            "consecutive": "too few points in a row are beyond their bound",
            "minimum_change": "the difference is too small to count",
            "direction": "this side is not watched",
        }.get(self.decided_by)
        if why:
            return f"Not an anomaly: {why}."
        return f"Not an anomaly: the score is {number(score)}, and the bound is 1."


_UNIT = {"expected": "value", "baseline_size": "value"}


def _largest(holds: Callable[[int], bool], rules: OutputRules) -> int:
    """Find the largest count up to `consecutive` for which it holds, if it does for all below."""
    low, high = 0, rules.consecutive + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _too_little(account: Account, time_ms: int, step_ms: int) -> tuple[str, tuple[Fact, ...]]:
    """How many points there are and are needed, and when there will be enough, if one can say."""
    count = {one.name: one.value for one in account.facts}
    points, needed = count.get("points"), count.get("needed")
    if not isinstance(points, int) or not isinstance(needed, int) or points >= needed:
        return "There is too little history for a verdict.", ()
    says = f"There are {counted(points, 'point')} of history, and {needed:,} are needed."
    ready_ms = time_ms + (needed - points) * step_ms
    every = length(step_ms).removeprefix("1 ")
    says += f" With a point every {every} that will be so from {utc(ready_ms)} on."
    return says, (Fact("ready_at", utc(ready_ms), "time"),)
