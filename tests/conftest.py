"""What every room's tests share."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real series and answers, or a skip that says what is missing."""
    folder = Path(os.environ.get("LUPUS_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("no reference data: set LUPUS_TEST_DATA to a folder with nab/ and sesd/")
    return folder
