"""Folds the many small files of a partition in a bucket into one, while others read and write.

The merged file is written first, under a name that follows from what it merges: two compactions
of the same files write the same name. Then each old file gets its mark. Whatever is killed or runs
at once in between leaves rows twice and none missing. Marked files stay longer than the longest
query; a later compaction removes them.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from storage.parquet.compaction import MOST_FILES, merge
from storage.parquet.engine import Engine
from storage.parquet.layout import COMPACTED, Kind
from storage.s3.copies import version_of
from storage.s3.files import BucketFiles
from storage.s3.layout import is_mark, live, mark_of

if TYPE_CHECKING:
    from obstore import ObjectMeta


def compact_partition(
    bucket: BucketFiles,
    engine: Engine,
    kind: Kind,
    folder: str,
    listed: Sequence["ObjectMeta"],
    grace_seconds: float,
) -> int:
    """Fold a partition if it has too many files; returns how many are read no more."""
    _remove_old(bucket, listed, grace_seconds)
    files = live(listed)
    if len(files) <= MOST_FILES:
        return 0
    snapshot = bucket.snapshot(files)
    try:
        versions = snapshot.versions
        if any(versions[each["path"]] != version_of(each) for each in files):
            return 0  # somebody else is at work here
        place = snapshot.folder / folder
        merged = merge(engine, kind, place, [snapshot.folder / each["path"] for each in files])
        said = "\n".join(f"{name} {versions[name]}" for name in sorted(versions))
        number = hashlib.sha256(said.encode()).hexdigest()[:16]
        bucket.put_file(f"{folder}/{COMPACTED}{number}.parquet", merged)
    finally:
        snapshot.close()
    bucket.mark(mark_of(name, version) for name, version in versions.items())
    return len(files)


def _remove_old(bucket: BucketFiles, listed: Sequence["ObjectMeta"], grace_seconds: float) -> None:
    """Remove the files whose mark is old, then those marks."""
    old = datetime.now(UTC) - timedelta(seconds=grace_seconds)
    marks = {
        each["path"] for each in listed if is_mark(each["path"]) and each["last_modified"] < old
    }
    if not marks:
        return
    superseded = [
        each["path"] for each in listed if mark_of(each["path"], version_of(each)) in marks
    ]
    bucket.delete(superseded)
    bucket.delete(sorted(marks))
