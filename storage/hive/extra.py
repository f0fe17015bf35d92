"""The packages that the base install leaves out, and what to say without them."""

from storage.errors import InvalidError

try:
    import TCLIService  # noqa: F401
    import thrift  # noqa: F401
except ImportError:
    raise InvalidError("hive:// needs the extra: pip install 'lupus-server[hive]'") from None
