"""What figures were taken on."""

import os
import platform
import subprocess
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from benchmarks.detectors import environments
from benchmarks.detectors.errors import AbsentError

_OURS = ("numpy", "numba", "scipy", "duckdb", "pyarrow")
# Where each of these is the peer, its own environment says its version.
_PEERS = (
    "prophet",
    "pyculiarity",
    "statsmodels",
    "statsforecast",
    "bottleneck",
    "polars",
    "pandas",
)


def machine() -> dict[str, str | int]:
    """Cores and model; nothing that names this machine."""
    return {"cores": os.cpu_count() or 0, "model": _model(), "system": platform.system()}


def versions() -> dict[str, str]:
    """Versions of everything that was measured, by name."""
    found = {"Python": platform.python_version()}
    found |= {name: version(name) for name in _OURS}
    found |= {name: environments.versions(name)[name] for name in _PEERS}
    return found | _r()


def _r() -> dict[str, str]:
    try:
        said = subprocess.run(
            [environments.rscript(), "--version"], capture_output=True, text=True, check=False
        )
    except AbsentError:
        return {}
    words = (said.stdout + said.stderr).split()
    return {"R": next((word for word in words if word[0].isdigit()), "?")}


def _model() -> str:
    return _after("model name", Path("/proc/cpuinfo").read_text().splitlines()) or "unknown"


def _after(name: str, lines: Iterable[str]) -> str:
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
