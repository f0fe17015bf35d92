"""Which real servers the tests of the real layer find, and what happens when one is not there.

A test that needs a server is marked ``real`` and asks here for its address. `make servers` starts
the servers and says the variables. Without a variable such a test is skipped with the reason; where
``CI`` is true it fails instead, because there nothing may be left out.
"""

import os
import uuid

import pytest

MAKE = "start it with `make servers` and set what that prints"


def server(variable: str) -> str:
    """The address in a variable such as ``LUPUS_TEST_HIVE_URL``; skips, or fails in CI."""
    url = os.environ.get(variable, "")
    if not url:
        reason = f"{variable} is not set: {MAKE}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return url


def own_name(prefix: str = "t") -> str:
    """A name that no other test uses: for a bucket's folder, an index prefix, a database."""
    return f"{prefix}{uuid.uuid4().hex[:12]}"
