"""The house keeps its own rules: rooms, sizes, locks without hosts, no machine's paths."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BESIDE = {"tests", "benchmarks"}
LARGEST_MODULE = 600


def _project() -> dict[str, dict[str, dict[str, list[str]]]]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def _tracked(*patterns: str) -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: which files are the project's is not known")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *patterns], cwd=ROOT, capture_output=True, check=True
    )
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name]


def test_every_top_level_package_is_a_declared_room() -> None:
    """A new package must say which room it is, or import-linter would not look at it."""
    rooms = set(_project()["tool"]["importlinter"]["root_packages"])
    packages = {
        path.parent.name
        for folder in (ROOT, ROOT / "library")
        for path in folder.glob("*/__init__.py")
    }
    assert packages == rooms | BESIDE


def test_no_module_has_outgrown_its_room() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in _tracked("*.py")
        if path.is_file() and (lines := len(path.read_text().splitlines())) > LARGEST_MODULE
    }
    assert long == {}


def test_locks_have_hashes_and_no_hosts() -> None:
    for lock in (ROOT / "requirements").glob("*.txt"):
        text = lock.read_text()
        assert not re.search(r"https?://|--index-url|--find-links", text), lock
        pinned = re.findall(r"^[a-zA-Z0-9._-]+(?:\[[^]]*\])?==", text, re.MULTILINE)
        assert text.count("--hash=sha256:") >= len(pinned) > 0, lock


def test_every_dependency_is_locked() -> None:
    project = _project()["project"]
    dependencies = project["dependencies"]
    locked = (ROOT / "requirements" / "run.txt").read_text()
    for requirement in map(str, dependencies):
        name = re.split(r"[\[<>=~! ]", requirement)[0]
        assert re.search(rf"^{re.escape(name)}==", locked, re.MULTILINE), name


def test_commands_of_the_readme_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for document in ("README.md", "CONTRIBUTING.md"):
        named = set(re.findall(r"\bmake ([a-z-]+)\b", (ROOT / document).read_text()))
        assert named & targets
        assert named <= targets | {"gets", "and"}, document


def test_links_between_documents_lead_somewhere() -> None:
    for document in _tracked("*.md"):
        for link in re.findall(r"\]\((?!https?://|#)([^)#]+)[^)]*\)", document.read_text()):
            assert (document.parent / link).exists(), f"{document.name}: {link}"
