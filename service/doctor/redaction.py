"""The last look at what is shown: no secret of the settings, whatever a server's message holds."""

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Self

from service.settings import Settings, secret_fields
from storage.check import Finding
from storage.errors import StorageError

_HIDDEN = "***"
_SHORTEST = 4  # shorter ones would hide words


@dataclass(frozen=True)
class Redaction:
    """The texts that nobody may see."""

    secrets: tuple[str, ...]

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """All secrets of the settings; a file that cannot be read holds none for us."""
        found = []
        for name in secret_fields():
            with suppress(StorageError):
                found.append(settings.secret(name).read())
        return cls(tuple(sorted((one for one in found if len(one) >= _SHORTEST), key=len)[::-1]))

    def applied(self, finding: Finding) -> Finding:
        """The same finding without secrets, on one line."""
        return replace(
            finding, detail=self._clean(finding.detail), advice=self._clean(finding.advice)
        )

    def _clean(self, text: str) -> str:
        for secret in self.secrets:
            text = text.replace(secret, _HIDDEN)
        return " ".join(text.split())
