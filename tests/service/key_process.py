"""A process that asks for one detection with a key: `python -m tests.service.key_process URL`.

It says that it is ready, waits for a line, asks, and says which run it got.
"""

import sys

from service.accept import AskedDetection, Limits, accept_detection
from service.database.engine import open_database
from service.database.idempotency import RequestKey
from service.ranges import AskedRange
from storage.source import SourceSpec
from tests.service.clocks import NOON


def main(url: str) -> None:
    asked = AskedDetection(
        source=SourceSpec("shop"),
        metrics=("ndcg",),
        range=AskedRange(last="7d"),
        detector={"type": "threshold", "lower": 0.3},
        body={},
        rule="daily",
    )
    database = open_database(url)
    with database.read():
        pass  # connected
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    key = RequestKey("ann", "detections", "twins", "hash")
    accepted = accept_detection(database, asked, "ann", NOON, Limits(), key)
    sys.stdout.write(f"{accepted.run.id} {accepted.replayed}\n")
    database.close()


if __name__ == "__main__":
    main(sys.argv[1])
