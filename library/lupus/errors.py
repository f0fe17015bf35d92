"""What can go wrong.

LupusError
    MetricsError      a metric has a name, a label or a value that no metric can have
    FrameError        a frame is of no known kind, or lacks a column, or a column has no such values
    EvaluationError   what was asked of an evaluation, or a stored one, makes no sense
    DriftError        a reference and a sample cannot be compared
    ChecksError       a schema of checks is written wrong
    CheckFailedError  data are not as their schema says
    StatisticsError   statistics are declared wrong, or a table or a summary has no such statistics
    SettingsError     an address, a token or a certificate cannot be used
    ExtraError        a part needs a package that is not installed
    UnreachableError  the service did not answer in the time that it had
    WaitError         something is not over in the time that it had; it goes on
    RefusedError      the service said no, and why
        PointsError   it named points at fault; nothing was stored
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional

SHOWN = 10


class LupusError(Exception):
    """Something about Lupus went wrong."""


class MetricsError(LupusError, ValueError):
    """A metric has a name, a label or a value that no metric can have."""


class FrameError(LupusError, ValueError):
    """A frame is of no known kind, or lacks a column, or a column has no such values."""


class EvaluationError(LupusError, ValueError):
    """What was asked of an evaluation, or a stored one, makes no sense."""


class DriftError(LupusError, ValueError):
    """A reference and a sample cannot be compared."""


class ChecksError(LupusError, ValueError):
    """A schema of checks is written wrong."""


class CheckFailedError(LupusError):
    """Data are not as their schema says."""


class StatisticsError(LupusError, ValueError):
    """Statistics are declared wrong, or a table or a summary has no such statistics."""


class SettingsError(LupusError, ValueError):
    """An address, a token or a certificate cannot be used."""


class ExtraError(LupusError, ImportError):
    """A part needs a package that is not installed."""


class UnreachableError(LupusError, ConnectionError):
    """The service did not answer in the time that it had."""


class WaitError(LupusError, TimeoutError):
    """Something is not over in the time that it had; it goes on."""


class RefusedError(LupusError):
    """The service said no.

    Parameters
    ----------
    message : str
        What is wrong and what is allowed.
    status : int
        The HTTP status.
    problem : mapping, optional
        The problem document (RFC 9457).
    """

    def __init__(
        self, message: str, status: int = 0, problem: Optional[Mapping[str, Any]] = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.problem = problem or {}
        self.replayed = False  # whether an earlier request had this answer


class PointAtFault(NamedTuple):
    """A point that was refused: which, in which field, and why."""

    point: str
    field: str
    reason: str

    def __str__(self) -> str:
        return f"{self.point}: {self.field} {self.reason}".replace(":  ", ": ")


class PointsError(RefusedError):
    """The service named points at fault; nothing was stored.

    Parameters
    ----------
    points : sequence of PointAtFault
        The first hundred of them.
    """

    def __init__(
        self,
        message: str,
        points: Sequence[PointAtFault],
        status: int = 422,
        problem: Optional[Mapping[str, Any]] = None,
    ) -> None:
        lines = [message, *(f"  {point}" for point in points[:SHOWN])]
        if len(points) > SHOWN:
            lines.append(f"  and {len(points) - SHOWN} more: see .points of this error")
        super().__init__("\n".join(lines), status, problem)
        self.points = tuple(points)
