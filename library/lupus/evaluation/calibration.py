"""How well probabilities hold: logloss, Brier score and expected calibration error."""

from typing import Optional

import numpy as np

from lupus.errors import FrameError
from lupus.evaluation.state import Counts
from lupus.evaluation.values import Floats, first_bad

EPSILON = float(np.finfo(np.float64).eps)


def logloss(probabilities: Floats) -> float:
    """Sum of minus the natural logarithm of what the label got, held to [2^-52, 1 - 2^-52]."""
    return float(-np.sum(np.log(np.clip(probabilities, EPSILON, 1 - EPSILON))))


def binned(probabilities: Floats, truth: Floats, bins: int) -> Counts:
    """Rows, labels and probabilities of equally wide bins of [0, 1]; the last holds 1 too."""
    place = np.minimum((probabilities * bins).astype(np.int64), bins - 1)
    sums = {
        "rows": np.bincount(place, minlength=bins),
        "labels": np.bincount(place, weights=truth, minlength=bins),
        "scores": np.bincount(place, weights=probabilities, minlength=bins),
    }
    return {
        (str(at), name): float(of[at])
        for at in np.flatnonzero(sums["rows"]).tolist()
        for name, of in sums.items()
    }


def calibration_error(counts: Counts) -> Optional[float]:
    """Mean over rows of the distance of mean label and mean probability of a row's bin."""
    rows = sum(number for (_, name), number in counts.items() if name == "rows")
    apart = sum(
        abs(counts[at, "labels"] - counts[at, "scores"]) for at, name in counts if name == "rows"
    )
    return apart / rows if rows else None


def require_probabilities(values: Floats, name: str) -> None:
    """Raise FrameError unless these finite values are between 0 and 1."""
    odd = first_bad(values, (values < 0) | (values > 1))
    if odd is not None:
        raise FrameError(
            f"column {name!r} must hold probabilities from 0 to 1, not {odd:g}; "
            "for other scores say probability=False"
        )
