"""What can go wrong.

LupusError
    MetricsError    a metric has a name, a label or a value that no metric can have
"""


class LupusError(Exception):
    """Something about Lupus went wrong."""


class MetricsError(LupusError, ValueError):
    """A metric has a name, a label or a value that no metric can have."""
