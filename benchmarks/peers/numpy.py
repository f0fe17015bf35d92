"""numpy: copying a matrix, the least that anything does that reads it and writes as much."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.peers.worker import serve

if TYPE_CHECKING:
    from benchmarks.peers.worker import Facts, Told, Work


def copy(values: Any, facts: Facts) -> tuple[Work, Told]:
    target = np.empty_like(values)

    def told(_: Any) -> dict[str, Any]:
        beyond = (target < facts["lower"]) | (target > facts["upper"])
        middle, half = (facts["upper"] + facts["lower"]) / 2, (facts["upper"] - facts["lower"]) / 2
        return {
            "rows": [np.flatnonzero(row).tolist() for row in beyond],
            "score": (np.abs(target[:3] - middle) / half).tolist(),
        }

    return lambda: np.copyto(target, values), told


if __name__ == "__main__":
    serve({"copy": copy})
