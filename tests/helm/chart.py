"""Helm on the project's chart: what it renders, and what it refuses."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import ROOT
from tests.real import server

CHART = ROOT / "helm" / "lupus"
GOLDEN = Path(__file__).parent / "golden"
# What is rendered and kept: the name of the golden file, and the values.
NEEDED = (
    "--set",
    "secrets.admin_token.secret=lupus-admin",
    "--set",
    "secrets.admin_token.key=token",
)
CASES: dict[str, Sequence[str]] = {
    "defaults": NEEDED,
    "embedded": ("--values", str(CHART / "values-embedded.yaml")),
    "production": ("--values", str(CHART / "values-production.yaml")),
    "everything": (
        *("--values", str(CHART / "values-production.yaml")),
        *("--values", str(Path(__file__).parent / "everything.yaml")),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """How a command of Helm ended."""

    code: int
    out: str
    error: str


def helm(*words: str, namespace: str = "") -> Answer:
    """Run Helm; nothing that it writes stays outside of its own folders."""
    command = [server("LUPUS_TEST_HELM"), *words]
    if namespace:
        command += ["--namespace", namespace]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    return Answer(done.returncode, done.stdout, done.stderr)


def rendered(*words: str) -> str:
    """The chart's objects as text."""
    answer = helm("template", "lupus", str(CHART), *words, namespace="lupus")
    assert answer.code == 0, answer.error
    return answer.out


def objects(text: str) -> list[dict[str, Any]]:
    """The same as objects."""
    return [one for one in yaml.safe_load_all(text) if one]
