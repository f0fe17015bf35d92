"""What can go wrong in this room.

DetectorError
├── ParameterError               a parameter of a detector is missing, unknown or out of range
│   └── UnusedParameterError     it has no effect beside the others
├── PointError                   a series has no row at the time asked for
├── SeriesError                  times and values do not form a series
└── InsufficientHistoryError     too little history to judge, and the caller asked for an error
"""


class DetectorError(Exception):
    """A detector refused its parameters or its input."""


class ParameterError(DetectorError, ValueError):
    """A parameter of a detector is missing, unknown or out of its range.

    Parameters
    ----------
    field : str
        Name of the parameter at fault, `type` for the kind of detector.
    message : str
        What was wrong and what is allowed.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(field, message)
        self.field = field
        self.message = message

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


class UnusedParameterError(ParameterError):
    """A parameter of a detector has no effect beside the others."""


class PointError(DetectorError, LookupError):
    """A series has no row at the time asked for.

    Parameters
    ----------
    message : str
        What was asked for, and the rows next to it.
    """


class SeriesError(DetectorError, ValueError):
    """Times and values do not form a series."""


class InsufficientHistoryError(DetectorError):
    """A series has too little history to be judged, and `on_insufficient` is "error"."""
