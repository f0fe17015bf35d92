"""Machine code survives on disk, and a folder that cannot be written stops nothing."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import detectors

_AS_NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
_CODE = """
import sys
sys.path.insert(0, {root!r})
import numba.core.compiler
compiled = []
original = numba.core.compiler.compile_extra
def counting(*args, **kwargs):
    compiled.append(args)
    return original(*args, **kwargs)
numba.core.compiler.compile_extra = counting
from detectors.seasonal_esd import removal
assert removal.__file__.startswith({root!r})
from numpy import array, empty, int8
made = removal.remove_extremes(
    array([0.0, 0.1, 0.2, 9.0]), array([0, 1, 2, 3]), 0, 0.0, False,
    empty(1), empty(2), empty(2), empty(1, int8),
)
print(made, len(compiled))
"""


def run(root: Path, home: Path, drop_rights: bool = False) -> list[int]:
    """Steps made and functions compiled by a fresh process that imports a copy of the room."""
    command = [sys.executable, "-B", "-c", _CODE.format(root=str(root))]
    if drop_rights:
        command = [*_AS_NOBODY, *command]
    environment = {key: value for key, value in os.environ.items() if key != "NUMBA_CACHE_DIR"}
    answer = subprocess.run(
        command, env={**environment, "HOME": str(home)}, cwd=root, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    return [int(number) for number in answer.stdout.split()]


@pytest.fixture
def copy() -> Iterator[Path]:
    """The package alone, without machine code, where another user can reach it."""
    source = Path(detectors.__file__).parent
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        shutil.copytree(source, root / "detectors", ignore=shutil.ignore_patterns("__pycache__"))
        yield root


@pytest.mark.slow
def test_a_second_process_compiles_nothing_even_where_it_cannot_write(copy: Path) -> None:
    home = copy / "no-home"
    made, compiled = run(copy, home)
    assert made == 1
    assert compiled > 0
    assert run(copy, home) == [1, 0]
    is_root = os.geteuid() == 0  # root may write anywhere: become nobody
    if is_root and (
        shutil.which("setpriv") is None
        or subprocess.run([*_AS_NOBODY, sys.executable, "-c", ""], check=False).returncode
    ):
        pytest.skip("the user nobody cannot run this Python")
    folders = [path for path in (copy, *copy.rglob("*")) if path.is_dir()]
    for folder in folders:
        folder.chmod(0o555)
    try:
        assert run(copy, home, drop_rights=is_root) == [1, 0]
    finally:
        for folder in folders:
            folder.chmod(0o755)
