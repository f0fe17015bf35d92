"""docs/detectors/: every parameter has its words, every picture its place, every example runs."""

import io
import json
import re
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from detectors import Series, detector_from_dict
from detectors.catalog import detector_types
from detectors.detector import Detector
from detectors.parameters import parameters_of
from service.api.detection_body import DetectionBody
from service.detector_tables import filled, page_names, shared_names
from tests.conftest import ROOT

DOCS = ROOT / "docs"
FOLDER = DOCS / "detectors"
LARGEST_PICTURE = 40_000


def page(name: str) -> str:
    return (FOLDER / f"{name}.md").read_text("utf-8")


def prose(text: str) -> str:
    """What people wrote: without generated tables and examples."""
    text = re.sub(r"<!-- (\w+) -->.*?<!-- /\1 -->", "", text, flags=re.DOTALL)
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


@pytest.mark.parametrize("type_", detector_types())
def test_a_page_explains_every_parameter_of_its_detector(type_: str) -> None:
    chosen = type(detector_from_dict(_request(type_)))
    own = {item.name for item in parameters_of(chosen)} - set(shared_names(type_))
    told = set(re.findall(r"\*\*`(\w+)`|(?<=, )`(\w+)`\*\*", prose(page(type_))))
    names = {name for pair in told for name in pair if name}
    assert own <= names, f"docs/detectors/{type_}.md has no **`name`** for these"
    assert names <= own, f"docs/detectors/{type_}.md explains what its detector does not have"


def test_the_common_page_explains_what_all_share_and_nothing_else() -> None:
    told = re.findall(r"^### `(\w+)`$", page("common"), flags=re.MULTILINE)
    assert sorted(told) == sorted(item.name for item in parameters_of(Detector))


@pytest.mark.parametrize("name", page_names())
def test_generated_tables_are_current(name: str) -> None:
    text = (DOCS / name).read_text("utf-8")
    assert filled(name, text) == text, "run: lupus-server docs"


def _request(type_: str) -> Any:
    (text,) = blocks(page(type_), "json")
    body = DetectionBody.model_validate(json.loads(text))
    assert body.detector["type"] == type_
    return body.detector


@pytest.mark.parametrize("type_", detector_types())
def test_the_python_of_a_page_is_its_request_and_says_what_it_prints(type_: str) -> None:
    (code,), (said,) = blocks(page(type_), "python"), blocks(page(type_), "text")
    printed, names = io.StringIO(), dict[str, Any]()
    with redirect_stdout(printed):
        exec(compile(code, f"{type_}.md", "exec"), names)
    assert printed.getvalue() == said
    assert names["detector"] == detector_from_dict(_request(type_))


def test_every_picture_is_shown_and_every_shown_picture_is_there() -> None:
    shown: set[Path] = set()
    for text in FOLDER.glob("*.md"):
        for name in re.findall(r"!\[[^]]*\]\(([^)]+)\)", text.read_text("utf-8")):
            shown.add((FOLDER / name).resolve())
    drawn = set((FOLDER / "images").iterdir())
    assert shown == drawn
    assert [path.name for path in drawn if path.stat().st_size > LARGEST_PICTURE] == []


def test_every_picture_is_drawn_by_code() -> None:
    scripts = "".join(path.read_text("utf-8") for path in DOCS.rglob("*.py"))
    drawn = {path.stem for path in (FOLDER / "images").iterdir()}
    assert {name for name in drawn if f'"{name}"' not in scripts} == set()


def test_links_within_the_pages_name_headings() -> None:
    for path in FOLDER.glob("*.md"):
        for link in re.findall(r"\]\(([^)]*#[^)]+)\)", path.read_text("utf-8")):
            name, _, anchor = link.partition("#")
            target = path if not name else (path.parent / name)
            assert anchor in _anchors(target.read_text("utf-8")), f"{path.name}: {link}"


def _anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}


def _first_verdicts() -> list[tuple[dict[str, Any], str, int]]:
    """Detector, unit of the step, and number of the first point that the guide promises."""
    promised = []
    for line in page("README").splitlines():
        named = re.match(r"\| `(\w+)`(?:, `(\w+): (\w+)`)? \|", line)
        if named is None:
            continue
        parameters = {"type": named[1], **({named[2]: named[3]} if named[2] else {})}
        for unit, cell in zip("Dh", line.split("|")[2:4], strict=True):
            if number := re.match(r" (\d+)", cell):
                promised.append((parameters, unit, int(number[1])))
    return promised


@pytest.mark.parametrize(("parameters", "unit", "first"), _first_verdicts())
def test_the_first_verdict_comes_when_the_guide_says(
    parameters: dict[str, Any], unit: Literal["D", "h"], first: int
) -> None:
    needed = {"lower": 0} if parameters["type"] == "threshold" else {}
    detector = detector_from_dict({**parameters, **needed})
    times = np.datetime64("2026-06-01", "ms") + np.arange(first) * np.timedelta64(1, unit)
    values = np.random.default_rng(1).normal(100, 1, first)
    assert detector.detect(Series(times, values), times[-1]).judged.all()
    if first > 1:
        before = Series(times[:-1], values[:-1])
        assert not detector.detect(before, times[-2]).judged.any()


def test_the_guide_promises_a_first_verdict_of_every_detector() -> None:
    assert {parameters["type"] for parameters, _, _ in _first_verdicts()} == set(detector_types())


def test_every_detector_is_in_the_guide() -> None:
    for type_ in detector_types():
        assert f"]({type_}.md)" in page("README")
