"""What the room shows: its names, its documentation, and what importing it costs."""

import doctest
import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import detectors
from detectors.catalog import CLASS_MODULES, detector_class, detector_types

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("scipy", "numba", "llvmlite", "pandas", "prophet", "statsmodels", "holidays", "cmdstanpy")
MODULES = sorted(module.name for module in pkgutil.walk_packages(detectors.__path__, "detectors."))


def test_the_room_exports_these_names() -> None:
    assert detectors.__all__ == sorted(detectors.__all__)
    assert dir(detectors) == detectors.__all__
    assert set(detectors.__all__) == {
        "Auto", "Change", "DetectorError", "Direction", "InsufficientHistoryError",
        "ParameterError", "Prophet", "Reason", "Result", "SeasonalESD", "Series", "SeriesError",
        "Severity", "Threshold", "TrendChange", "Window", "detector_from_dict",
    }  # fmt: skip
    for name in detectors.__all__:
        assert getattr(detectors, name).__name__ == name


def test_every_registered_class_is_exported() -> None:
    assert set(CLASS_MODULES) <= set(detectors.__all__)
    for type_ in detector_types():
        chosen = detector_class(type_)
        assert chosen is getattr(detectors, chosen.__name__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Windows"):
        _ = detectors.Windows


def test_importing_the_room_brings_nothing_heavy() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, detectors; print(*sorted(sys.modules))"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert "detectors.catalog" in loaded
    assert "numpy" in loaded
    assert [name for name in loaded if name in HEAVY or name.startswith("detectors.window")] == []


def test_making_and_describing_detectors_brings_nothing_heavy_either() -> None:
    code = (
        "import sys, detectors\n"
        "from detectors.schema import json_schemas\n"
        "json_schemas()\n"
        "detectors.detector_from_dict({'type': 'window'}).to_dict()\n"
        "print(*sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert [name for name in loaded if name in HEAVY] == []


def documented() -> list[ModuleType]:
    return [importlib.import_module(name) for name in ("detectors", *MODULES)]


def test_the_examples_in_the_documentation_run() -> None:
    tried = 0
    for module in documented():
        outcome = doctest.testmod(module)
        assert outcome.failed == 0, module.__name__
        tried += outcome.attempted
    assert tried >= 20


@pytest.mark.parametrize("name", ["Series", "detector_from_dict", *CLASS_MODULES])
def test_public_names_have_an_example(name: str) -> None:
    assert ">>> " in (inspect.getdoc(getattr(detectors, name)) or ""), name
