"""Ten million points in one upload, and what a bare loop needs that writes the same Parquet.

    python -m benchmarks.ingest_large [parquet|ndjson|csv] [series] [slots] [kills]

One `serve` with everything embedded takes the file as a posted body (NDJSON and CSV as gzip), and a
process of its pool stores it; both are killed at random so many times. Prints points a second from
the first byte to `succeeded`, the most that each process held, and compares every point in archive
and index.
"""

import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.service import ingest_drill as drill
from tests.service.served import served

KINDS = {
    "parquet": "application/vnd.apache.parquet",
    "ndjson": "application/x-ndjson",
    "csv": "text/csv",
}
DAY = 86_400_000 // drill.STEP_MS


def bare(folder: Path, series: int, slots: int) -> float:
    """Seconds to write the points as files of days, as the archive has them, and nothing else."""
    spent = 0.0
    for number, first in enumerate(range(0, slots, DAY)):
        rows = drill.block(range(series), range(first, min(first + DAY, slots)))
        rows = rows.append_column("sequence", pa.repeat(pa.scalar(1 << 60), rows.num_rows))
        began = time.perf_counter()
        pq.write_table(rows, folder / f"{number}.parquet", compression="zstd")
        spent += time.perf_counter() - began
    return spent


def main() -> None:
    kind = sys.argv[1] if len(sys.argv) > 1 else "parquet"
    series, slots, kills = [
        int(sys.argv[at]) if len(sys.argv) > at else default
        for at, default in ((2, 1_000), (3, 10_000), (4, 0))
    ]
    settings = {"LUPUS_MAX_BODY_MB": "4096", "LUPUS_PROCESSES": "1"}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        path = drill.large_file(folder, kind, series, slots)
        size = path.stat().st_size / 2**20
        print(f"{series * slots:,} points as {kind}, {size:,.0f} MiB", flush=True)
        with served(folder / "data", settings) as service:
            before = drill.Memory(service)
            with before.watched():
                time.sleep(1)
            service.http.put(f"/v1/sources/{drill.SOURCE}", json={"kind": "managed"})
            killer = drill.Killer(service, 7, (2.0, 30.0))
            began = time.perf_counter()
            with drill.Memory(service).watched() as held, killer.at_work(kills):
                id_ = drill.send(service, "large", path, KINDS[kind], kind != "parquet")
                taken = time.perf_counter() - began
                points = drill.wait_for(service, [id_], 7200)
            seconds = time.perf_counter() - began
        archived, drawn = drill.stored(folder / "data")
        (folder / "bare").mkdir()
        least = bare(folder / "bare", series, slots)
    assert points == archived == drawn == series * slots, (points, archived, drawn)
    print(
        f"{points / seconds:,.0f} points/s ({seconds:.0f} s, {taken:.0f} of them until it was "
        f"accepted); the bare loop {points / least:,.0f} points/s: {seconds / least:.1f}x; "
        f"serve held {held.serve:,.0f} MiB ({before.serve:,.0f} before), a process below it "
        f"{held.below:,.0f} MiB; killed {killer.kills} times; every point is there once"
    )


if __name__ == "__main__":
    main()
