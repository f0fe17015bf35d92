"""A prefix of the test bucket for one test."""

from collections.abc import Iterator

import pytest

from tests.storage.s3.bucket import Bucket, own_bucket


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    with own_bucket() as opened:
        yield opened
