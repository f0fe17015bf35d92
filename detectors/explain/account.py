"""What a detector tells of the baseline that a point is compared with."""

from dataclasses import dataclass

import numpy as np

from detectors.explain.explanation import Fact, Scalar
from detectors.explain.words import counted, utc, wall
from detectors.frame import Frame
from detectors.result import Flags


@dataclass(frozen=True, slots=True)
class Account:
    """A baseline in a sentence or more, and in numbers.

    Facts with a name of their own for all detectors: "points" (used), "needed" (fewest points
    for a verdict), "from" and "to" (half-open), "no_data" and "excluded" (slots left out).
    """

    says: str
    facts: tuple[Fact, ...] = ()


def plain(value: object) -> Scalar:
    """Python's own number; None for NaN."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and np.isnan(value):
        return None
    assert value is None or isinstance(value, float | int | str | bool)
    return value


def fact(name: str, value: object, unit: str = "") -> Fact:
    """One fact, with None for NaN."""
    return Fact(name, plain(value), unit)


def span_facts(frame: Frame, first: int, stop: int) -> tuple[Fact, ...]:
    """From when to when columns [first, stop) of a frame reach; nothing where there are none."""
    if stop <= first:
        return ()
    ends_ms = int(frame.slot_times[stop - 1]) + frame.grid.step_ms
    if stop < len(frame.slot_times):
        ends_ms = int(frame.slot_times[stop])
    return (
        Fact("from", utc(int(frame.slot_times[first])), "time"),
        Fact("to", utc(ends_ms), "time"),
    )


def left_out(known: Flags, usable: Flags) -> tuple[Fact, ...]:
    """How many slots have no data, and how many that have some are excluded."""
    return (
        Fact("no_data", int((~known).sum()), "points"),
        Fact("excluded", int((known & ~usable).sum()), "points"),
    )


def left_out_words(facts: tuple[Fact, ...]) -> str:
    """``, without 2 steps without data and 1 excluded point``; empty when nothing is left out."""
    count = {one.name: one.value for one in facts}
    parts = []
    if missing := count.get("no_data"):
        parts.append(f"{counted(int(missing), 'step')} without data")
    if excluded := count.get("excluded"):
        parts.append(f"{counted(int(excluded), 'point')} on holidays or in excluded ranges")
    return f", leaving out {' and '.join(parts)}" if parts else ""


def own_account(frame: Frame, column: int) -> Account:
    """Tell of a detector that says nothing more: the points that it was given before this one."""
    known = ~np.isnan(frame.values[0, :column])
    usable = frame.usable[:column]
    points = int((known & usable).sum())
    if not column:
        return Account("There is no point before this one.", (Fact("points", 0, "points"),))
    facts = left_out(known, usable)
    says = (
        f"The detector was given {counted(points, 'point')} before this one, from "
        f"{wall(int(frame.wall[0]))} on{left_out_words(facts)}."
    )
    return Account(says, (Fact("points", points, "points"), *span_facts(frame, 0, column), *facts))
