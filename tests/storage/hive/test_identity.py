"""LDAP and Kerberos on real servers: Apache HiveServer2 with Debian's slapd and krb5-kdc.

They run where their variables are set: `tests/servers/hive_ldap/server up` and
`tests/servers/hive_kerberos/server up` start the servers and print them.
"""

import os
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from storage.errors import InvalidError, RefusedError
from storage.hive.connection import HiveConnection
from storage.hive.options import HiveOptions, hive_options
from tests.real import server

pytestmark = pytest.mark.real

PASSWORD = "lupus-ldap"
TICKET_SECONDS = 120  # as tests/servers/hive_kerberos/server makes them
TRANSPORTS = ("binary", "http")


def address(variable: str, transport: str) -> str:
    url = server(variable)
    if transport == "binary":
        return url
    parts = urlsplit(url)
    return f"hive://{parts.hostname}:{(parts.port or 0) + 1}{parts.path}"


def options(variable: str, transport: str, **words: Any) -> HiveOptions:
    given = {"tables": ["*.*"], "transport": transport, "deadline_seconds": 200, **words}
    return hive_options("warehouse", address(variable, transport), given)


def answers(connection: HiveConnection) -> bool:
    return bool(connection.table("select 1 as one").to_pydict() == {"one": [1]})


def new_session(options: HiveOptions) -> bool:
    connection = HiveConnection("warehouse", options)
    try:
        return answers(connection)
    finally:
        connection.close()


@pytest.fixture(params=TRANSPORTS)
def ldap(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[HiveOptions, Path]:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    return (
        options(
            "LUPUS_TEST_HIVE_LDAP_URL",
            request.param,
            auth="LDAP",
            user="lupus",
            password_file=str(file),
        ),
        file,
    )


def test_ldap_knows_us_and_nobody_else(ldap: tuple[HiveOptions, Path]) -> None:
    given, file = ldap
    connection = HiveConnection("warehouse", given)
    try:
        assert answers(connection)
        file.write_text("a-wrong-one\n")
        assert answers(connection)  # the session is there already
        with pytest.raises(RefusedError) as caught:
            new_session(given)
        assert "a-wrong-one" not in str(caught.value)
        file.write_text(PASSWORD)  # rotated back: seen by the next session
        assert new_session(given)
    finally:
        connection.close()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_ldap_refuses_who_gives_no_password(transport: str) -> None:
    with pytest.raises(RefusedError):
        new_session(options("LUPUS_TEST_HIVE_LDAP_URL", transport))


def kerberos(transport: str, **words: Any) -> HiveOptions:
    words = {"keytab": os.environ.get("LUPUS_TEST_HIVE_KERBEROS_KEYTAB", "/none"), **words}
    return options("LUPUS_TEST_HIVE_KERBEROS_URL", transport, auth="KERBEROS", **words)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_keytab_is_enough(transport: str) -> None:
    assert new_session(kerberos(transport))


def test_without_tickets_we_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = kerberos("binary", principal="somebody@LUPUS.TEST")
    with pytest.raises(RefusedError, match="Kerberos"):
        new_session(given)
    with pytest.raises(InvalidError, match="keytab /nowhere cannot be read"):
        new_session(kerberos("binary", keytab="/nowhere"))
    with pytest.raises(RefusedError, match="Kerberos"):
        new_session(kerberos("binary", kerberos_service="imap"))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_new_tickets_are_fetched_when_the_old_ones_are_over() -> None:
    """Two minutes and a half with tickets of two minutes, and nobody ran kinit."""
    given = kerberos("binary")
    connection = HiveConnection("warehouse", given)
    try:
        assert answers(connection)
        end = time.monotonic() + TICKET_SECONDS + 30
        while time.monotonic() < end:
            time.sleep(15)
            assert new_session(given)
        assert answers(connection)  # also the session that began with the old ticket
    finally:
        connection.close()
