"""Wait until a server of HiveServer2's protocol answers a query."""

import argparse
import logging
import sys
import time
from pathlib import Path

from pyhive import hive


def alive(pidfile: Path) -> bool:
    """Whether the process of the pid file runs; it may not have been written yet."""
    return not (pid := pidfile.read_text().strip() if pidfile.exists() else "") or (
        Path("/proc", pid).exists()
    )


def asked(host: str, port: int, auth: str, transport: str) -> bool:
    """Whether a query was answered."""
    scheme = {"scheme": "http"} if transport == "http" else {}
    try:
        connection = hive.connect(host=host, port=port, auth=auth, username="lupus", **scheme)
    except Exception:  # noqa: BLE001 - refused, reset, half an answer: whatever it is, it is early
        return False
    try:
        cursor = connection.cursor()
        cursor.execute("SELECT 1")
        return bool(cursor.fetchall() == [(1,)])
    except Exception:  # noqa: BLE001 - as above
        return False
    finally:
        connection.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--auth", required=True)
    parser.add_argument("--transport", required=True)
    parser.add_argument("--pidfile", type=Path, required=True, help="stop waiting when it ends")
    parser.add_argument("--timeout", type=float, required=True, help="seconds")
    told = parser.parse_args()

    logging.disable()  # the client tells of every refused connection
    began = time.monotonic()
    while time.monotonic() - began < told.timeout:
        if not alive(told.pidfile):
            print("the server ended", file=sys.stderr)
            return 1
        if asked(told.host, told.port, told.auth, told.transport):
            return 0
        time.sleep(0.5)
    print("time-out", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
