"""Pages of docs/ that follow from the code; a test proves that they are current."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from service.app import create_app
from service.detector_tables import filled, page_names
from service.notifications.schema import events_schema
from service.settings.page import render


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _openapi() -> str:
    document = create_app().openapi()
    # The version changes with every release; the page is about what the API takes and answers.
    document["info"]["version"] = "v1"
    return _json(document)


def _events() -> str:
    return _json(events_schema())


PAGES: Mapping[str, Callable[[], str]] = {
    "settings.md": render,
    "openapi.json": _openapi,
    "events.json": _events,
}


def write_pages(folder: Path) -> None:
    """Write every page."""
    for name, made in PAGES.items():
        (folder / name).write_text(made(), "utf-8")
    for name in page_names():
        path = folder / name
        if path.is_file():
            path.write_text(filled(name, path.read_text("utf-8")), "utf-8")


def stale_pages(folder: Path) -> list[str]:
    """Names of the pages that are missing or differ."""
    stale = []
    for name, made in PAGES.items():
        path = folder / name
        if not path.is_file() or path.read_text("utf-8") != made():
            stale.append(name)
    for name in page_names():
        path = folder / name
        if not path.is_file() or path.read_text("utf-8") != filled(name, path.read_text("utf-8")):
            stale.append(name)
    return stale
