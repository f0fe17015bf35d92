"""A password or a key: given, or in a file that is read each time it is needed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from storage.errors import InvalidError


@dataclass(frozen=True)
class Secret:
    """Never shown by ``repr``. A file wins nothing by being read once: rotated files are noticed
    by the client that reads the secret again after its credentials were refused."""

    value: str = field(default="", repr=False)
    file: Path | None = None

    def read(self) -> str:
        """What it is now; the empty text when none is set.

        Raises
        ------
        InvalidError
            The file cannot be read.
        """
        if self.file is None:
            return self.value
        try:
            return self.file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            cause = getattr(error, "strerror", None) or "is not text"
            raise InvalidError(f"secret file {self.file}: {cause}") from None

    def __bool__(self) -> bool:
        return bool(self.value) or self.file is not None


def secret_of(environment: Mapping[str, str], name: str) -> Secret:
    """The secret of ``name``, or of the file that ``name_FILE`` names.

    Raises
    ------
    InvalidError
        Both are set.
    """
    value, file = environment.get(name, ""), environment.get(f"{name}_FILE")
    if value and file:
        raise InvalidError(f"{name} and {name}_FILE are both set: keep one")
    return Secret(value, Path(file) if file else None)
