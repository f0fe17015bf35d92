"""What every room's tests share."""

import os
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.internal.conjecture import providers

# The same examples in every run. Hypothesis would also draw constants from whatever modules of ours
# a test process has loaded, and so make examples depend on which tests ran before.
settings.register_profile("house", derandomize=True, deadline=None, database=None)
settings.load_profile("house")
assert hasattr(providers, "is_local_module_file")
vars(providers)["is_local_module_file"] = lambda _path: False

ROOT = Path(__file__).resolve().parent.parent

# Real tests on servers that mix up or starve queries of two at a time, or that need the whole
# machine: nothing runs beside them, as if they were marked ``alone``.
_ALONE = (
    "tests/storage/hive",
    "tests/stack",
    "doctor/test_real",
    "rebuild_on_hive",
    "[hive",
    "-hive",
    "[spark",
    "-spark",
)


# Without a server, and yet too long for a layer that is run after every change.
_SLOW = (
    "tests/schedulers",
    "tests/service/api/test_contract",
    "tests/service/failure",
    "tests/service/api/test_waiting.py::test_many_who_wait",
    "tests/service/test_backup",
    "tests/service/test_leaks",
    "tests/service/test_rebuild.py",
    "tests/stack/test_end_to_end.py",
)


@pytest.hookimpl(tryfirst=True)  # pytest selects by marks in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the real tests of such servers run by themselves, and long ones in their layer."""
    for item in items:
        if any(place in item.nodeid for place in _SLOW):
            item.add_marker(pytest.mark.slow)
        if item.get_closest_marker("real") and any(place in item.nodeid for place in _ALONE):
            item.add_marker(pytest.mark.alone)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real series and answers, or a skip that says what is missing."""
    folder = Path(os.environ.get("LUPUS_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("no reference data: set LUPUS_TEST_DATA to a folder with nab/ and sesd/")
    return folder
