"""Values for the decomposition where there are none: it needs one for every slot."""

import numpy as np

from detectors.result import Flags
from detectors.series import Floats

# A straight line over more would bend the season. One missing day of daily data is more than that
# share of a week, and too common to leave a series unjudged: one slot is always filled.
_SHORT_GAP = 0.05  # of a period


def gaps_are_short(known: Flags, period: int) -> bool:
    """Tell whether no gap between known values is longer than 5 % of a period, or one slot."""
    steps = np.diff(np.flatnonzero(known))
    return not len(steps) or int(steps.max()) - 1 <= max(1, _SHORT_GAP * period)


def filled_linearly(values: Floats, known: Flags) -> Floats:
    """Values with straight lines over the gaps between known ones, NaN before and after them."""
    if known.all() or not known.any():
        return values
    slots = np.arange(len(values))
    return np.interp(slots, slots[known], values[known], left=np.nan, right=np.nan)


def with_season_for(values: Floats, ignored: Flags, period: int) -> Floats:
    """Values in which each ignored one gives way to the nearest one, by whole periods, that counts.

    Earlier ones come first; an ignored value without any such neighbour stays.
    """
    out = values.copy()
    usable = ~ignored & ~np.isnan(values)
    for slot in np.flatnonzero(ignored & ~np.isnan(values)):
        phase = np.arange(slot % period, len(values), period)
        phase = phase[usable[phase]]
        if len(phase):
            distance = np.where(phase < slot, slot - phase, phase - slot + period - 1)
            out[slot] = values[phase[np.argmin(distance)]]
    return out
