"""A service to be examined: embedded, but for what a test says, and what was found of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from service.doctor.examination import examine
from service.settings import Settings, load_settings
from storage.check import Finding


def patient(folder: Path, **given: Any) -> Settings:
    return load_settings(data=folder / "data", public_url="", **given)


def failures(findings: Sequence[Finding]) -> dict[str, Finding]:
    """What failed, as ``part: check``."""
    return {f"{one.part}: {one.check}": one for one in findings if one.state == "failed"}


def the_failure(settings: Settings, *secrets: str, only: Sequence[str] = ()) -> Finding:
    """The only part that failed; it says what to do, and nothing says a secret."""
    findings = examine(settings, only)
    for one in findings:
        for secret in secrets:
            assert secret not in f"{one.detail} {one.advice}"
    failed = list(failures(findings).values())
    assert len({one.part for one in failed}) == 1, failed
    for one in failed:
        assert one.detail
        assert one.advice
    return failed[0]


def part_of(settings: Settings, part: str) -> dict[str, Finding]:
    """The findings of one part, by check."""
    return {one.check: one for one in examine(settings, [part])}
