"""What a store's URL names on this machine.

``file:///data/x`` is the folder ``/data/x``. ``sqlite:////data/x.db`` is the file ``/data/x.db``
and ``sqlite:///x.db`` one below the working folder, as SQLAlchemy reads them.
"""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from storage.errors import InvalidError

# What a bucket's URL begins with; s3 is what our tests run on.
BUCKETS = ("s3", "gs", "az")
BUCKET_FORMS = " or ".join(f"{scheme}://bucket/prefix" for scheme in BUCKETS)


def scheme_of(url: str) -> str:
    """The letters before ``://``, in lower case."""
    return url.partition("://")[0].lower() if "://" in url else ""


def unknown_scheme(store: str, url: str, known: str) -> InvalidError:
    """The refusal of a URL that no implementation answers to; never shows the URL itself."""
    seen = scheme_of(url) or "no scheme"
    return InvalidError(f"the {store} URL begins with {seen}: known here is {known}")


def folder_of(store: str, url: str) -> Path:
    """The folder of a ``file://`` URL."""
    if scheme_of(url) != "file":
        raise unknown_scheme(store, url, "file:///folder")
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise InvalidError(
            f"the {store} URL must name an absolute folder with three slashes: file:///folder"
        )
    return Path(unquote(parts.path))


def database_file_of(store: str, url: str) -> Path:
    """The file of a ``sqlite://`` URL."""
    prefix = "sqlite:///"
    if not url.lower().startswith(prefix) or len(url) == len(prefix):
        raise unknown_scheme(store, url, "sqlite:////absolute/file.db")
    return Path(unquote(url[len(prefix) :]))
