"""ruptures' PELT and binary segmentation, with the usual penalty for noise that is independent.

They know of no seasons: the season is taken off before, by the mean of each day of the week. They
are told whether to look for levels or for slopes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import ruptures

from benchmarks.peers.worker import serve

if TYPE_CHECKING:
    from benchmarks.peers.worker import Facts, Told, Work

_MODELS = {"level": "l2", "slope": "clinear"}
_MAD_TO_SIGMA = 1.4826


def _changes(values: Any, facts: Facts, search: Any) -> tuple[Work, Told]:
    period, kinds = facts["period"], facts["kinds"]

    def found(row: Any, kind: str) -> list[int]:
        phase = np.arange(len(row)) % period
        season = np.array([row[phase == p].mean() for p in range(period)])
        plain = row - season[phase]
        steps = np.diff(plain)
        sigma = _MAD_TO_SIGMA * np.median(np.abs(steps - np.median(steps))) / np.sqrt(2)
        penalty = facts["penalty"] * np.log(len(row)) * sigma**2
        model = search(model=_MODELS[kind], min_size=facts["shortest"], jump=1).fit(plain)
        return [int(at) for at in model.predict(pen=penalty)[:-1]]

    def work() -> Any:
        return [found(row, kind) for row, kind in zip(values, kinds)]  # noqa: B905 - as old a Python as peers have

    def told(found: Any) -> dict[str, Any]:
        return {"found": found}

    return work, told


def pelt(values: Any, facts: Facts) -> tuple[Work, Told]:
    """Exact search."""
    return _changes(values, facts, ruptures.Pelt)


def binseg(values: Any, facts: Facts) -> tuple[Work, Told]:
    """Binary segmentation."""
    return _changes(values, facts, ruptures.Binseg)


if __name__ == "__main__":
    serve({"pelt": pelt, "binseg": binseg})
