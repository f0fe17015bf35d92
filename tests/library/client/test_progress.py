"""A bar where people look, and not one letter where a log is written."""

import pytest

from lupus.client.progress import Progress


def test_a_terminal_sees_a_bar_that_is_gone_at_the_end(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with Progress() as told:
        told.say("waiting")
        told.say("of 8 MB", 0.5)
    shown = capsys.readouterr().err.split("\r")
    assert shown[1:3] == ["waiting", f"[{'#' * 12}{' ' * 12}]  50% of 8 MB"]
    assert (shown[3].strip(), shown[4]) == ("", "")


def test_a_log_sees_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as told:
        told.say("waiting")
    assert capsys.readouterr() == ("", "")
