"""Exit codes that scripts can rely on, and how a command ends with one."""

FINE = 0
ANOMALIES = 1
FAILED = 2  # or partial; also what stopped a command half-way
USAGE = 64
UNREACHABLE = 69
SETTINGS = 78


class EndedError(Exception):
    """The command is over with this exit code; the message is for people."""

    def __init__(self, code: int, message: str = "") -> None:
        super().__init__(message)
        self.code = code
