"""Prints what the tests measured of the image, also when they ran in other processes."""

import pytest

FIGURE = "image"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Called by pytest at the end."""
    for report in terminalreporter.getreports("passed"):
        for name, text in report.user_properties:
            if name == FIGURE:
                terminalreporter.write_line(f"image: {text}")
