"""A process of its own that uploads a file and fetches it again, and says what memory it took."""

import resource
import sys
from pathlib import Path

from storage.s3.objects import S3Objects
from tests.storage.s3.bucket import bucket_of


def main(folder: Path) -> None:
    bucket = bucket_of(folder)
    objects = S3Objects(bucket.url, bucket.s3, folder / "scratch")
    objects.put("small", b"1")
    objects.local_path("small")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    objects.put_file("large", folder / "large")
    sent = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    objects.local_path("large")
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print((sent - before) // 1024, (after - before) // 1024)  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]))
