"""What is logged."""

from typing import Literal

from pydantic import Field

from service.settings.part import Part


class Logs(Part):
    """What is logged."""

    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="`auto`: console on a terminal, JSON lines elsewhere."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least important events that are logged."
    )
