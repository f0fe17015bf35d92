"""The sentences that an explanation and a report about stored verdicts have in common."""

import math
from collections.abc import Callable

from detectors.explain.words import number, ordinal

Shown = Callable[[float], str]


def range_words(lower: float, upper: float, shown: Shown = number) -> str:
    """``from 0.4 to 0.5``, ``at 0.4 and above``, ``up to 0.5``; NaN is no bound."""
    if math.isnan(lower):
        return "anywhere" if math.isnan(upper) else f"up to {shown(upper)}"
    if math.isnan(upper):
        return f"at {shown(lower)} and above"
    return f"from {shown(lower)} to {shown(upper)}"


def bound_words(
    value: float, lower: float, upper: float, shown: Shown = number, normal: str = "Normal"
) -> str:
    """Say on which side of its bounds a value lies, and how far beyond them."""
    words = f"{normal} is what lies {range_words(lower, upper, shown)}"
    if value > upper:
        return f"{words}; the value is {shown(value - upper)} above that."
    if value < lower:
        return f"{words}; the value is {shown(lower - value)} below that."
    return f"{words}, and so does the value."


def anomaly_words(severity: str, score: float, measured: bool) -> str:
    """Name severity and score; `measured` where the score is a distance in units of the bound's."""
    if measured:
        return (
            f"An anomaly, {severity}: it is {number(score)} times as far from the expected value "
            "as the bound is."
        )
    return f"An anomaly, {severity}, with a score of {number(score)}; the bound is 1."


def direction_words(direction: str) -> str:
    """Say which sides are watched."""
    if direction == "both":
        return "Both sides are watched."
    return f"Only {'rises' if direction == 'up' else 'drops'} count."


def least_words(least: float, shown: Shown = number) -> str:
    """Say which differences never count; without a full stop."""
    return f"Differences of up to {shown(least)} from the expected value never count"


def run_words(needed: int) -> str:
    """Say from which point in a row on one counts; without a full stop."""
    return f"A point counts from the {ordinal(needed)} in a row beyond the same bound on"


def silence_words(policy: str, is_last: bool | None = None) -> str:
    """Say what a step without data means; `is_last` None for steps in general."""
    if policy == "anomaly":
        return "A step without data is an anomaly, as no_data says."
    if policy == "ignore":
        return "A step without data means nothing, as no_data says."
    if is_last:
        return "The last expected step is without data, which is a warning."
    return "A step without data means nothing unless it is the last one expected."
