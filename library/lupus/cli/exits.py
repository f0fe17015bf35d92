"""Exit codes that scripts can rely on; those of ``lupus-server``."""

from lupus.errors import (
    ExtraError,
    LupusError,
    MetricsError,
    RefusedError,
    SettingsError,
    UnreachableError,
)

FINE = 0
ANOMALIES = 1
FAILED = 2  # or partial; also what stopped a command half-way
USAGE = 64
UNREACHABLE = 69
INTERRUPTED = 130


class UsageError(LupusError):
    """The command line or a file asks for something that cannot be."""


def code_of(error: LupusError) -> int:
    """Give the exit code of an error."""
    if isinstance(error, UnreachableError):
        return UNREACHABLE
    if isinstance(error, RefusedError):
        return USAGE if error.status < 500 else FAILED
    usage = isinstance(error, (UsageError, MetricsError, SettingsError, ExtraError))
    return USAGE if usage else FAILED
