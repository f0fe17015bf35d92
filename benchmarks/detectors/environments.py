"""Where peers run: a virtual environment for each, made from its pinned requirements."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks import peers
from benchmarks.detectors.errors import AbsentError

HOME = Path(peers.__file__).parent
ROOT = HOME.parent.parent
OURS = "lupus"
# Needs a pandas that no newer Python has.
PYTHONS = {"pyculiarity": "3.7"}
# One thread for everybody, so that processor time is what one core would need.
THREADS = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS",
     "POLARS_MAX_THREADS", "ARROW_NUM_THREADS"), "1",
)  # fmt: skip


def command(environment: str, module: str) -> list[str]:
    """How to start a peer's module, after its environment has been made.

    Raises
    ------
    AbsentError
        The peer cannot be installed here.
    """
    if environment == "r":
        return [rscript(), str(HOME / "r.R")]
    return [str(python(environment)), "-m", module]


def rscript() -> str:
    found = shutil.which("Rscript")
    if found is None:
        raise AbsentError("Rscript is not installed (Debian: r-base-core)")
    return found


def python(environment: str) -> Path:
    """The interpreter of an environment, which is made when it is not there."""
    if environment == OURS:
        return Path(sys.executable)
    requirements = HOME / f"{environment}.txt"
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    folder = cache() / f"{environment}-{digest}"
    interpreter = folder / "bin" / "python"
    if not (folder / "ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        _run([interpreter_for(environment), "-m", "venv", str(folder)])
        _run([str(interpreter), "-m", "pip", "install", "-q", "--disable-pip-version-check",
              "-r", str(requirements)])  # fmt: skip
        (folder / "ready").touch()
    return interpreter


def cache() -> Path:
    """Beside other programs' caches, outside of the project."""
    given = os.environ.get("LUPUS_PEERS_DIR")
    beside = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(given) if given else Path(beside) / "lupus-peers"


def interpreter_for(environment: str) -> str:
    """A Python that the peer can live with."""
    version = PYTHONS.get(environment)
    if version is None:
        return sys.executable
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = [str(folder / "bin" / "python") for folder in sorted(pyenv.glob(f"{version}.*"))]
    for candidate in (*reversed(found), shutil.which(f"python{version}")):
        if candidate and not _failed([candidate, "-c", ""]):
            return candidate
    raise AbsentError(f"it needs Python {version}, which is not installed")


def versions(environment: str) -> dict[str, str]:
    """What the peer's environment has pinned, by name."""
    if environment in (OURS, "r"):
        return {}
    lines = (HOME / f"{environment}.txt").read_text().split()
    return dict(line.split("==") for line in lines)


def _run(arguments: list[str]) -> None:
    if message := _failed(arguments):
        raise AbsentError(f"it could not be installed: {message}")


def _failed(arguments: list[str]) -> str:
    """The last words of a command that failed; nothing where it did not."""
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if not done.returncode:
        return ""
    return (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
