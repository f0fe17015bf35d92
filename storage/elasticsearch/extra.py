"""Says what is missing when the package for Elasticsearch is not installed."""

from storage.errors import InvalidError

try:
    import elasticsearch  # noqa: F401
except ImportError:
    raise InvalidError(
        "an index on Elasticsearch needs the extra: pip install 'lupus-server[elasticsearch]'"
    ) from None
