"""Whether a service grows: many small runs, and what its processes hold meanwhile.

    python -m benchmarks.soak [runs]

One `serve` with a pool of one process, everything embedded, eight rules over one source. Prints a
line now and then, and at the end how much each figure grows per 1,000 runs after the first fifth
(a straight line through what was measured).
"""

import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import psutil

from tests.service.api.house import daily
from tests.service.served import Served, served

RULES, SERIES, DAYS, LOOKS = 8, 5, 40, 50
MIB = 1024 * 1024
FIGURES = ("RSS", "pool RSS", "files", "pool files", "threads", "children", "WAL", "database")


def measured(process: psutil.Process, folder: Path) -> Mapping[str, float]:
    """MiB and numbers, at one moment."""
    pool = process.children(recursive=True)
    return {
        "RSS": process.memory_info().rss / MIB,
        "pool RSS": sum(child.memory_info().rss for child in pool) / MIB,
        "files": process.num_fds(),
        "pool files": sum(child.num_fds() for child in pool),
        "threads": process.num_threads(),
        "children": len(pool),
        "WAL": sum(file.stat().st_size for file in folder.glob("*.db-wal")) / MIB,
        "database": sum(file.stat().st_size for file in folder.glob("*.db")) / MIB,
    }


def a_round(service: Served, number: int) -> None:
    """One run of each rule, to its end; every tenth round also brings new points."""
    if number % 10 == 0:
        value = 1.0 + number % 3
        service.post(
            "/v1/sources/soak/points", json={"points": daily([value] * 2, labels={"region": "0"})}
        )
    days = {"start": "2026-06-20", "end": "2026-07-05"}
    body = {"source": "soak", "metric": "*", "range": days,
            "detector": {"type": "threshold", "upper": 2.5}}  # fmt: skip
    asked = [
        service.post("/v1/detections", json={**body, "rule": f"rule-{rule}"})
        for rule in range(RULES)
    ]
    for run in asked:
        ended = service.wait_for(
            f"/v1/detections/{run['id']}?wait=60s",
            lambda answer: answer.json().get("ended_at") is not None,
            seconds=600,
        ).json()
        if ended["state"] != "succeeded":
            raise SystemExit(f"run {run['id']} is {ended['state']}: {ended.get('error')}")


def soak(runs: int) -> tuple[list[int], list[Mapping[str, float]]]:
    """Runs done, and what was measured then."""
    done: list[int] = []
    looks: list[Mapping[str, float]] = []
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root) / "data"
        with served(folder, {"LUPUS_PROCESSES": "1", "LUPUS_LOG_LEVEL": "warning"}) as service:
            process = next(
                child for child in psutil.Process().children() if child.cmdline()[-1:] == ["serve"]
            )
            service.http.put("/v1/sources/soak", json={"kind": "managed"})
            for series in range(SERIES):
                points = daily([1.0] * DAYS, labels={"region": str(series)})
                service.post("/v1/sources/soak/points", json={"points": points})
            rounds = runs // RULES
            began = time.monotonic()
            for number in range(rounds):
                a_round(service, number)
                if number % max(1, rounds // LOOKS) == 0 or number == rounds - 1:
                    done.append((number + 1) * RULES)
                    looks.append(measured(process, folder))
                    told = ", ".join(f"{name} {looks[-1][name]:.0f}" for name in FIGURES)
                    rate = done[-1] / (time.monotonic() - began)
                    print(f"{done[-1]:6} runs, {rate:.1f}/s: {told}", flush=True)
    return done, looks


def main() -> int:
    """Soak and print."""
    done, looks = soak(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
    late = [number for number, runs in enumerate(done) if runs > done[-1] / 5]
    print("\n| figure | after a fifth | at the end | growth per 1,000 runs |\n|---|---|---|---|")
    for name in FIGURES:
        values = [looks[number][name] for number in late]
        growth = 1000 * float(np.polyfit([done[number] for number in late], values, 1)[0])
        print(f"| {name} | {values[0]:.1f} | {values[-1]:.1f} | {growth:+.2f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
