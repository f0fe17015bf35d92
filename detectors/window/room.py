"""How many points a window can hold, and what is said where a verdict needs more."""

from datetime import timedelta

from detectors.errors import ParameterError
from detectors.parameters import Length, dump_length
from detectors.season import Season
from detectors.wall_clock import DAY_MS, HOUR_MS

_MILLISECOND = timedelta(milliseconds=1)
# How long a season is, and how long one of its keys.
_SEASONS_MS = {
    "hour_of_day": (DAY_MS, HOUR_MS),
    "day_of_week": (7 * DAY_MS, DAY_MS),
    "hour_of_week": (7 * DAY_MS, HOUR_MS),
}


def most_points(window: Length, gap: Length, season: Season, step_ms: int) -> int:
    """Most points between window and gap; those of one key with a season, rather too many."""
    slots = window if isinstance(window, int) else -(-(window // _MILLISECOND) // step_ms)
    left_out = gap if isinstance(gap, int) else gap // _MILLISECOND // step_ms
    most = max(slots - left_out, 0)
    if season == "none":
        return most
    season_ms, key_ms = _SEASONS_MS[season]
    of_key = -(-key_ms // step_ms)
    return min(most, -(-most * step_ms // season_ms) * of_key + of_key - 1)


def too_small(
    window: Length,
    given: bool,
    gap: Length,
    season: Season,
    most: int,
    fewest: int,
    asked: bool,
    step_ms: int | None,
) -> ParameterError:
    """Name window and `min_points`, and what is allowed.

    Parameters
    ----------
    given, asked : bool
        Whether the caller gave the window, and `min_points`.
    """
    holds = f"{dump_length(window)} holds {most} points"
    if season != "none":
        holds += f" of one {season.replace('_', ' ')}"
    if step_ms is not None:
        holds += f" at a step of {dump_length(step_ms * _MILLISECOND)}"
    if gap:
        holds += f" without the gap of {dump_length(gap)}"
    needs = f"min_points asks for {fewest}" if asked else f"a verdict needs {fewest}"
    allowed = f", or min_points up to {most}" if most else ""
    name = "window" if given else "min_points" if asked else "gap"
    holds = holds if given else f"the window's default, {holds}"
    return ParameterError(name, f"{holds}, and {needs}: give a longer window{allowed}")
