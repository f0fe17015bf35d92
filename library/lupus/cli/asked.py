"""What several commands read from their arguments."""

import argparse
import json
from collections.abc import Mapping, Sequence
from typing import Any

from lupus.cli.exits import UsageError
from lupus.client.client import Client

SEVERITIES = ("warning", "major", "critical")


def client_of(asked: argparse.Namespace) -> Client:
    """Give the client that the arguments name."""
    return Client(asked.url, retry_for=asked.retry_for)


def pairs(texts: Sequence[str], option: str) -> dict[str, str]:
    """Give labels that were written as ``name=value``."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"{option} {text!r}: write name=value")
        if name in found:
            raise UsageError(f"{option} {name} is there twice")
        found[name] = value
    return found


def detector_of(text: str) -> Mapping[str, Any]:
    """Give a detector that was written as its type, or as JSON."""
    if not text.lstrip().startswith("{"):
        return {"type": text}
    try:
        parsed: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise UsageError(f"--detector is not JSON: {error}") from None
    return parsed
