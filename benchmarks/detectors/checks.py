"""Whether both sides of a row found the same, in words; they raise where they did not."""

from typing import Any

import numpy as np

from benchmarks.detectors.errors import DisagreementError
from benchmarks.detectors.row import Answer


def same_rows(ours: Answer, peer: Answer) -> str:
    """The same points of each series that both did."""
    both = list(zip(ours["rows"], peer["rows"], strict=False))
    for i, (mine, theirs) in enumerate(both):
        if sorted(mine) != sorted(theirs):
            apart = sorted(set(mine) ^ set(theirs))
            raise DisagreementError(f"series {i}: {len(apart)} rows, {apart[:5]} ...")
    return f"the same {sum(len(mine) for mine, _ in both):,} anomalies in {len(both):,} series"


def same_scores(ours: Answer, peer: Answer) -> str:
    """The same rows, and scores to the last digits."""
    apart = _largest(ours["score"], peer["score"])
    if not apart < 1e-9:
        raise DisagreementError(f"scores by {apart:.1g}")
    return f"{same_rows(ours, peer)}, scores within {apart:.0e}"


def same_moments(ours: Answer, peer: Answer) -> str:
    """Means and deviations to the digits that sliding sums keep."""
    apart = max(_largest(ours[name], peer[name]) for name in ("mean", "deviation"))
    if not apart < 1e-6:
        raise DisagreementError(f"moments by {apart:.1g}")
    return f"mean and deviation within {apart:.0e}"


def same_flags(ours: Answer, peer: Answer) -> str:
    """The same series and times."""
    mine, theirs = ({(str(a), b) for a, b in answer["flags"]} for answer in (ours, peer))
    if mine != theirs:
        raise DisagreementError(f"{len(mine - theirs)} of ours, {len(theirs - mine)} of theirs")
    return f"the same {len(mine):,} flags"


def similar_flags(ours: Answer, peer: Answer) -> str:
    """Most of the same, where the peer's decomposition is another one."""
    mine, theirs = ({(str(a), b) for a, b in answer["flags"]} for answer in (ours, peer))
    common, either = len(mine & theirs), len(mine | theirs)
    if common < 0.8 * either:
        raise DisagreementError(f"only {common} of {either} flags are common")
    return f"{common:,} of {either:,} flags common"


def same_count(ours: Answer, peer: Answer) -> str:
    if ours["rows"] != peer["rows"]:
        raise DisagreementError(f"{ours['rows']} and {peer['rows']} rows")
    return f"{ours['rows']:,} rows"


def same_forecasts(ours: Answer, peer: Answer) -> str:
    """Prophet's two engines: expected values within a deviation, a tenth in the median."""
    median, most, widths = _forecasts(ours, peer)
    if not (median < 0.1 and most < 1):
        raise DisagreementError(f"expected by {median:.2f} deviations, at most {most:.2f}")
    return f"expected {median:.1e} deviations apart (at most {most:.2f}), intervals x{widths:.2f}"


def another_model(ours: Answer, peer: Answer) -> str:
    """A peer with another model of the same things: near, and not to be held equal."""
    median, most, widths = _forecasts(ours, peer)
    if not median < 1:
        raise DisagreementError(f"expected by {median:.2f} deviations, at most {most:.2f}")
    return f"another model: {median:.2f} deviations apart, intervals x{widths:.2f}"


def nothing(ours: Answer, peer: Answer) -> str:
    """There is no answer to compare."""
    return ""


def _forecasts(ours: Answer, peer: Answer) -> tuple[float, float, float]:
    """Median and largest distance in deviations of the interval; ours over the peer's width."""
    count = min(len(ours["expected"]), len(peer["expected"]))
    names = ("expected", "lower", "upper")
    mine, theirs = (
        {name: np.array(answer[name][:count]) for name in names} for answer in (ours, peer)
    )
    width, other = mine["upper"] - mine["lower"], theirs["upper"] - theirs["lower"]
    # 99.7 % of a normal distribution are 2.97 deviations to each side.
    apart = np.abs(mine["expected"] - theirs["expected"]) / (width / 5.94)
    return float(np.median(apart)), float(apart.max()), float(np.median(width / other))


def _largest(ours: Any, peer: Any) -> float:
    mine, theirs = np.array(ours), np.array(peer)
    return float(np.abs(mine - theirs).max())
