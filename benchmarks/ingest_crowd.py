"""A thousand uploads of a thousand points from 32 clients, killed at random.

    python -m benchmarks.ingest_crowd [uploads] [points] [clients] [kills]

One `serve` with everything embedded; clients send each upload until it is accepted, always with the
same Idempotency-Key. Afterwards every point in archive and index is compared.
"""

import sys
import tempfile
import time
from pathlib import Path

from tests.service import ingest_drill as drill
from tests.service.served import served


def main() -> None:
    uploads, points, clients, kills = [
        int(sys.argv[at]) if len(sys.argv) > at else default
        for at, default in ((1, 1_000), (2, 1_000), (3, 32), (4, 0))
    ]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        with served(folder / "data", {"LUPUS_PROCESSES": "1"}) as service:
            service.http.put(f"/v1/sources/{drill.SOURCE}", json={"kind": "managed"})
            killer = drill.Killer(service, 11, (0.5, 8.0))
            began = time.perf_counter()
            with drill.Memory(service).watched() as held, killer.at_work(kills):
                ids = drill.crowd(service, uploads, points, clients)
                total = drill.wait_for(service, ids)
            seconds = time.perf_counter() - began
        archived, drawn = drill.stored(folder / "data")
    assert len(set(ids)) == uploads
    assert total == archived == drawn == uploads * points, (total, archived, drawn)
    print(
        f"{uploads:,} uploads of {points:,} points from {clients} clients: {total / seconds:,.0f} "
        f"points/s, {uploads / seconds:.1f} uploads/s ({seconds:.0f} s); serve held "
        f"{held.serve:,.0f} MiB; killed {killer.kills} times; every point is there once"
    )


if __name__ == "__main__":
    main()
