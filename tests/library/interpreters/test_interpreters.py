"""Spark and Airflow are old: the core runs from a zip file under Python 3.9 to 3.13."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT

sys.path.insert(0, str(ROOT / "library"))
from pack import pack

CORE = ROOT / "tests" / "library" / "interpreters" / "core.py"


def interpreter(version: str) -> str:
    """A Python of this version: on the path, or of pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates = sorted(pyenv.glob(f"versions/{version}.*/bin/python"))
    if found := shutil.which(f"python{version}"):
        candidates.append(Path(found))
    for candidate in candidates:
        answers = subprocess.run([candidate, "-c", ""], capture_output=True, check=False)
        if answers.returncode == 0:
            return str(candidate)
    pytest.skip(f"there is no python{version} on the path, and none of pyenv's")


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pack(tmp_path_factory.mktemp("zip") / "lupus.zip")


def test_the_zip_file_is_pure_and_always_the_same(packed: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(packed) as zipped:
        names = zipped.namelist()
    assert {"lupus/__init__.py", "lupus/py.typed", "lupus/client/client.py"} <= set(names)
    assert {Path(name).suffix for name in names} == {".py", ".typed"}
    assert pack(tmp_path / "again.zip").read_bytes() == packed.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("version", "urllib3"),
    [
        ("3.9", "urllib3<2"),
        ("3.10", "urllib3"),
        ("3.11", "urllib3"),
        ("3.12", "urllib3"),
        ("3.13", "urllib3"),
    ],
)
def test_the_core_runs_from_the_zip_file(
    version: str, urllib3: str, packed: Path, url: str, tmp_path: Path
) -> None:
    uv = Path(sys.executable).with_name("uv")
    place = tmp_path / "venv"
    python = place / "bin" / "python"
    for command in (
        ["venv", "-q", "--python", interpreter(version), str(place)],
        ["pip", "install", "-q", "--python", str(python), urllib3],
    ):
        subprocess.run([uv, *command], check=True, timeout=120)
    environment = {"PATH": os.environ["PATH"], "NO_PROXY": "127.0.0.1"}
    said = subprocess.run(
        [python, "-W", "error", CORE, packed, url],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd=tmp_path,
        timeout=280,
    )
    assert said.returncode == 0, said.stderr[-3000:]
    assert said.stdout == f"fine {packed}/lupus/__init__.py\n"
