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

# Real servers that mix up or starve queries of two at a time: their tests keep to one worker.
_ONE_AT_A_TIME = {
    "spark": ("[spark", "-spark"),
    "hive": ("tests/storage/hive", "[hive", "-hive", "tests/stack", "doctor/test_real"),
}


@pytest.hookimpl(tryfirst=True)  # xdist reads the marks of groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the real tests of such a server together, see ``--dist loadgroup``."""
    for item in items:
        if item.get_closest_marker("real"):
            for server, places in _ONE_AT_A_TIME.items():
                if any(place in item.nodeid for place in places):
                    item.add_marker(pytest.mark.xdist_group(server))
                    break


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real series and answers, or a skip that says what is missing."""
    folder = Path(os.environ.get("LUPUS_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("no reference data: set LUPUS_TEST_DATA to a folder with nab/ and sesd/")
    return folder
