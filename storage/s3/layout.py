"""Which files of an archive in a bucket count: the names of a folder's layout, without its locks.

A bucket has no rename and no lock. So a mark that takes a file out of reading names the version
that was compacted: ``.<file>.<version>.superseded``. A file written again has another version and
counts again; rows that are there twice are resolved as versions by whoever reads.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from storage.parquet.layout import Kind
from storage.s3.copies import version_of
from storage.series_key import check_source

if TYPE_CHECKING:
    from obstore import ObjectMeta

_SUFFIX = ".superseded"


def source_prefix(kind: Kind, source: str) -> str:
    """Where the points or results of a source are."""
    return f"{kind}/source={check_source(source)}"


def folder_of(path: str) -> str:
    """The partition of a file."""
    return path.rpartition("/")[0]


def mark_of(path: str, version: str) -> str:
    """The mark that takes a version of a file out of reading."""
    folder, _, name = path.rpartition("/")
    return f"{folder}/.{name}.{version}{_SUFFIX}"


def is_mark(path: str) -> bool:
    """Whether a file is a mark."""
    return path.rpartition("/")[2].startswith(".") and path.endswith(_SUFFIX)


def live(files: Iterable["ObjectMeta"]) -> list["ObjectMeta"]:
    """The files whose rows count."""
    found = list(files)
    names = {each["path"] for each in found}
    return [
        each
        for each in found
        if each["path"].endswith(".parquet")
        and not each["path"].rpartition("/")[2].startswith((".", "_"))
        and mark_of(each["path"], version_of(each)) not in names
    ]


def by_partition(files: Sequence["ObjectMeta"]) -> list[tuple[str, list["ObjectMeta"]]]:
    """The files of each day, oldest first."""
    ordered = sorted(files, key=lambda each: (folder_of(each["path"]), each["path"]))
    groups = groupby(ordered, key=lambda each: folder_of(each["path"]))
    return [(folder, list(some)) for folder, some in groups]
