#!/usr/bin/env python3
"""Start and end the real servers of the tests.

servers.py fetch [NAME...]   build and download what they need, once (25 minutes, 1.2 GB)
servers.py up [NAME...]      start what does not run yet; print and write the addresses
servers.py down [NAME...]    end them and drop their data; what was fetched stays
servers.py status [NAME...]  what runs
  without a NAME  every server but those that few tests need
  all             those too: Hive with LDAP, Hive with Kerberos, the oldest PySpark, and the
                  project's image, which every change of the project builds anew
  --record FILE   up: add the names of what it started; down: end those only

The addresses are variables of the environment: `up` prints the export lines and keeps them in
.servers.env at the project's root. LUPUS_SERVERS=packages|docker says where servers come from; by
default containers where a Docker engine answers, else packages.
"""

import argparse
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.servers import debian

HERE = Path(__file__).resolve().parent
ENV_FILE = HERE.parents[1] / ".servers.env"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
SERVERS_DIR = Path(os.environ.get("LUPUS_SERVERS_DIR") or CACHE / "lupus-servers").absolute()
BRIDGE = Path("/sys/class/net/lupus0")
TELL_SECONDS = 30
# Two at a time: the compiler of one keeps the cores busy, the downloads of another the line.
AT_ONCE = 2
# They share what the other fetches.
ELASTICSEARCH_FIRST = {"fetch": "elasticsearch", "up": "elasticsearch"}
SPARK_FIRST = {"fetch": "spark-thrift", "up": "spark-thrift"}
HIVE_FIRST = {"fetch": "hive", "up": "hive"}


@dataclass(frozen=True)
class Server:
    """One script and the environment that it runs in.

    ``after`` names, for a verb, the server that must be done before; ``unasked`` says that nobody
    need name it.
    """

    name: str
    folder: Path
    env: dict[str, str] = field(default_factory=dict)
    after: Mapping[str, str] = field(default_factory=dict)
    unasked: bool = True

    @property
    def log(self) -> Path:
        return SERVERS_DIR / "log" / f"{self.name}.log"

    def does(self, verb: str) -> tuple[bool, list[str]]:
        """Whether a verb succeeded, and the lines that it printed."""
        with self._alone(), self.log.open("a") as log:
            done = subprocess.run(
                [str(self.folder / "server"), verb],
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=os.environ | {"PYTHON": sys.executable} | self.env,
            )
        return done.returncode == 0, done.stdout.splitlines()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One command at a time on one server, whoever asks."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def servers() -> list[Server]:
    """All servers of this machine's way, in the order in which they start."""
    programs = ("spark-thrift", "helm", "prometheus", "airflow", "mlflow")
    always = [
        *(Server(name, HERE / name) for name in programs),
        Server("pyspark", HERE / "pyspark", after=SPARK_FIRST),
        Server("pyspark-old", HERE / "pyspark", {"LUPUS_PYSPARK": "old"}, unasked=False),
    ]
    if way() == "docker":
        return [Server("docker", HERE / "docker"), *always]
    secured = {"LUPUS_TEST_ELASTICSEARCH_SECURITY": "on"}
    return [
        Server("kubernetes", HERE / "kubernetes"),
        *(Server(name, HERE / name) for name in ("s3", "postgres", "elasticsearch")),
        Server("elasticsearch-secure", HERE / "elasticsearch", secured, ELASTICSEARCH_FIRST),
        *(Server(name, HERE / name) for name in ("alertmanager", "hive")),
        *always,
        Server("hive_ldap", HERE / "hive_ldap", after=HIVE_FIRST, unasked=False),
        Server("hive_kerberos", HERE / "hive_kerberos", after=HIVE_FIRST, unasked=False),
        Server("image", HERE / "image", after={"up": "kubernetes"}, unasked=False),
    ]


def way() -> str:
    chosen = os.environ.get("LUPUS_SERVERS", "")
    if chosen not in ("", "packages", "docker"):
        raise SystemExit("LUPUS_SERVERS must be packages or docker")
    return chosen or ("docker" if _engine_answers() else "packages")


def _engine_answers() -> bool:
    try:
        asked = subprocess.run(["docker", "info"], check=False, capture_output=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0


def prepare() -> None:
    """Debian's packages, and the address that pods reach: servers listen there from the start."""
    if way() == "docker":
        return
    debian.provide()
    if os.geteuid() == 0 and not BRIDGE.exists():
        cluster = HERE / "kubernetes" / "cluster.py"
        subprocess.run([sys.executable, str(cluster), "network"], check=True)


def tell(text: str) -> None:
    print(f"servers: {text}", file=sys.stderr, flush=True)


class Round:
    """One verb on several servers, two at a time, with a line whenever one is done."""

    def __init__(self, verb: str, told: Callable[[str], None] = tell) -> None:
        self._verb = verb
        self._tell = told
        self._failed: list[str] = []
        self.exports: list[str] = []

    def over(self, chosen: Sequence[Server]) -> bool:
        """True when all of them succeeded; whoever waits hears of it every half minute."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            done: dict[str, Future[None]] = {}
            for server in chosen:
                first = done.get(server.after.get(self._verb, ""))
                done[server.name] = pool.submit(self._one, server, first)
            began = time.monotonic()
            waiting = set(done.values())
            while waiting:
                _, waiting = wait(waiting, timeout=TELL_SECONDS)
                names = [name for name, future in done.items() if future in waiting]
                if names:
                    spent = time.monotonic() - began
                    self._tell(f"{spent:.0f} s, waiting for {', '.join(names)}")
        for future in done.values():
            future.result()
        return not self._failed

    def _one(self, server: Server, before: Future[None] | None) -> None:
        if before is not None:
            before.result()
        if server.after.get(self._verb) in self._failed:
            self._failed.append(server.name)
            self._tell(f"{server.name}: not tried, for it needs {server.after[self._verb]}")
            return
        began = time.monotonic()
        start_of_log = server.log.stat().st_size if server.log.exists() else 0
        fine, lines = server.does(self._verb)
        spent = time.monotonic() - began
        if fine:
            self.exports += [line for line in lines if line.startswith("export ")]
            self._tell(f"{server.name}: {self._verb} after {spent:.1f} s")
            return
        self._failed.append(server.name)
        with server.log.open() as log:
            log.seek(start_of_log)
            said = [*lines, *log.read().splitlines()][-30:]
        self._tell(f"{server.name}: {self._verb} FAILED after {spent:.0f} s; the end of its log:")
        self._tell("\n    ".join(["", *said]))


def write_addresses(exports: Sequence[str], kept: Sequence[str]) -> None:
    """Put the new lines in the file, with those kept that they do not replace."""
    lines = {line.split("=", 1)[0]: line for line in [*kept, *exports]}
    if not lines:
        ENV_FILE.unlink(missing_ok=True)
        return
    partial = ENV_FILE.with_suffix(".partial")
    partial.touch(mode=0o600)
    partial.write_text("".join(f"{line}\n" for line in sorted(lines.values())))
    partial.replace(ENV_FILE)


def addresses() -> list[str]:
    return ENV_FILE.read_text().splitlines() if ENV_FILE.exists() else []


def fetch(chosen: list[Server]) -> bool:
    prepare()
    return Round("fetch").over(chosen)


def up(chosen: list[Server], record: Path | None) -> bool:
    prepare()
    if record is not None:
        stopped = [server.name for server in chosen if not server.does("status")[0]]
        with record.open("a") as file:
            file.writelines(f"{name}\n" for name in stopped)
    starting = Round("up")
    fine = starting.over(chosen)
    write_addresses(starting.exports, kept=addresses())
    print("\n".join(sorted(starting.exports)))
    return fine


def down(chosen: list[Server], record: Path | None) -> bool:
    if record is not None:
        started = record.read_text().split() if record.exists() else []
        chosen = [server for server in chosen if server.name in started]
    # One after the other, in reverse: what a server stands on ends after it.
    ended = [Round("down").over([server]) for server in reversed(chosen)]
    if {server.name for server in servers() if server.unasked} <= {one.name for one in chosen}:
        write_addresses([], kept=[])
    return all(ended)


def status(chosen: list[Server]) -> bool:
    running = {server.name: server.does("status")[0] for server in chosen}
    for name, runs in running.items():
        print(f"{name:21} {'runs' if runs else '-'}")
    return all(running.values())


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("verb", choices=("fetch", "up", "down", "status"))
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--record", type=Path)
    told = parser.parse_args(words)
    known = servers()
    if unknown := set(told.names) - {server.name for server in known} - {"all"}:
        there_are = ", ".join(server.name for server in known)
        parser.error(f"no server {', '.join(sorted(unknown))}; there are {there_are}")
    # What a record names was started, whether or not it was asked for by its name.
    ends_record = told.verb == "down" and told.record is not None
    names = told.names or [server.name for server in known if server.unasked or ends_record]
    chosen = [server for server in known if server.name in names or "all" in names]
    verbs: dict[str, Callable[[], bool]] = {
        "fetch": lambda: fetch(chosen),
        "up": lambda: up(chosen, told.record),
        "down": lambda: down(chosen, told.record),
        "status": lambda: status(chosen),
    }
    return 0 if verbs[told.verb]() else 1


if __name__ == "__main__":
    sys.exit(main())
