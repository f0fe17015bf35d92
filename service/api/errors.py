"""What only HTTP can get wrong; the rest is in `service/errors.py`.

ServiceError
└── RequestError
    ├── QueryError         a query parameter or header is wrong; ``parameter`` names it
    └── MediaTypeError     a Content-Type or Content-Encoding that is not taken here
"""

from service.errors import RequestError


class QueryError(RequestError):
    """A query parameter or header is wrong."""

    def __init__(self, parameter: str, message: str) -> None:
        super().__init__(f"{parameter}: {message}")
        self.parameter = parameter
        self.message = message


class MediaTypeError(RequestError):
    """A Content-Type or Content-Encoding that is not taken here."""
