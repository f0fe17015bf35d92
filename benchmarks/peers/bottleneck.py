"""bottleneck's moving mean and deviation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bottleneck

from benchmarks.peers.worker import serve

if TYPE_CHECKING:
    from benchmarks.peers.worker import Facts, Told, Work


def rolling_z(values: Any, facts: Facts) -> tuple[Work, Told]:
    window = facts["window"]

    def work() -> Any:
        mean = bottleneck.move_mean(values, window, axis=1)
        return mean, bottleneck.move_std(values, window, axis=1, ddof=1)

    def told(found: Any) -> dict[str, Any]:
        # A point is no part of its own baseline.
        mean, deviation = (column[:20, window - 1 : -1].tolist() for column in found)
        return {"mean": mean, "deviation": deviation}

    return work, told


if __name__ == "__main__":
    serve({"rolling_z": rolling_z})
