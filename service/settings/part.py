"""What each part of the settings has."""

import os
from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

from storage.secret import Secret

PREFIX = "LUPUS_"


class Part(BaseSettings):
    """Fields of one noun, read from ``LUPUS_<FIELD>``."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True
    )

    def secret(self, name: str) -> Secret:
        """A secret for a client that reads it again when its credentials are refused."""
        path = os.environ.get(f"{PREFIX}{name.upper()}_FILE")
        if path:
            return Secret(file=Path(path))
        given = getattr(self, name)
        return Secret(given.get_secret_value() if given else "")
