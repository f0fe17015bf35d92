"""Where the cluster lies, and the processes that it is made of."""

import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO

NODE, NODE_IP, BRIDGE = "lupus", "10.244.0.1", "lupus0"
POD_NET, SERVICE_NET, SERVICE_IP = "10.244.0.0/22", "10.96.0.0/16", "10.96.0.1"
API, ETCD = f"https://{NODE_IP}:6443", "http://127.0.0.1:12379"
ARGO_SERVER = f"http://{NODE_IP}:2746"

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
SERVERS_DIR = Path(os.environ.get("LUPUS_SERVERS_DIR") or CACHE / "lupus-servers").absolute()
WORK = SERVERS_DIR / "kubernetes"
BIN, ETC, RUN, LOG, DATA, IMAGES = (
    WORK / part for part in ("bin", "etc", "run", "log", "data", "images")
)
CLUSTER, KUBECONFIG, SOCKET = BIN / "cluster", ETC / "admin.kubeconfig", RUN / "containerd.sock"
READY_SECONDS = float(os.environ.get("LUPUS_SERVERS_TIMEOUT", "300"))


def run(*words: object, check: bool = True, cwd: Path | None = None, **env: str) -> str:
    """The output of a command; what it said, if it fails."""
    argv = [str(word) for word in words]
    done = subprocess.run(
        argv, check=False, capture_output=True, text=True, cwd=cwd, env=os.environ | env
    )
    if check and done.returncode:
        said = (done.stdout + done.stderr)[-3000:]
        raise SystemExit(f"failed ({done.returncode}): {' '.join(argv)}\n{said}")
    return done.stdout


def shown(*words: object) -> None:
    """Run a command that speaks for itself."""
    argv = [str(word) for word in words]
    if failed := subprocess.run(argv, check=False).returncode:
        raise SystemExit(f"failed ({failed}): {' '.join(argv)}")


def succeeds(*words: object) -> bool:
    argv = [str(word) for word in words]
    return subprocess.run(argv, check=False, capture_output=True).returncode == 0


def kubectl(*words: object) -> tuple[object, ...]:
    """The words of a kubectl command, as administrator."""
    return (CLUSTER, "kubectl", "--kubeconfig", KUBECONFIG, *words)


def wait(what: str, ready: Callable[[], bool]) -> None:
    end = time.monotonic() + READY_SECONDS
    while not ready():
        if time.monotonic() > end:
            raise SystemExit(f"{what} was not ready after {READY_SECONDS:.0f} s; logs: {LOG}")
        time.sleep(0.3)


def answers(url: str) -> bool:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=2) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


def born(pid: int | str) -> str | None:
    """The start time of a process: with the number it names one process for good."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def pid_of(name: str) -> int | None:
    try:
        pid, started = (RUN / f"{name}.pid").read_text().split()
    except (OSError, ValueError):
        return None
    return int(pid) if born(pid) == started else None


def start(name: str, *words: object, **env: str) -> None:
    """Start a process of the cluster, unless it runs."""
    if pid_of(name):
        return
    with (LOG / f"{name}.log").open("ab") as log:
        process = _detached([str(word) for word in words], log, env)
    (RUN / f"{name}.pid").write_text(f"{process.pid} {born(process.pid)}")


def _detached(argv: list[str], log: IO[bytes], env: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        cwd=RUN,
        env=os.environ | env,
    )


def stop(*names: str) -> None:
    """End exactly these processes, and wait until they are gone."""
    for sign, patience in ((signal.SIGTERM, 10), (signal.SIGKILL, 5)):
        for pid in filter(None, map(pid_of, names)):
            os.kill(pid, sign)
        end = time.monotonic() + patience
        while any(map(pid_of, names)) and time.monotonic() < end:
            time.sleep(0.1)
    for name in names:
        (RUN / f"{name}.pid").unlink(missing_ok=True)
