"""The connections file: names of places, each with the words that go with its kind."""

from pathlib import Path

import pytest

from storage.connections import Connection, named, read_connections, section
from storage.errors import InvalidError


def read(folder: Path, text: str) -> tuple[Connection, ...]:
    file = folder / "connections.toml"
    file.write_text(text)
    return read_connections(file)


def test_a_folder_a_bucket_a_server_and_the_archive(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        """
        [folder]
        url = "file:///data/warehouse"
        [bucket]
        url = "s3://bucket/warehouse"
        [warehouse]
        url = "hive://hive.example:10000/metrics"
        tables = ["ml_metrics.*"]
        session = { "tez.queue.name" = "reports" }
        [archive]
        auth = "KERBEROS"
        keytab = "/secrets/keytab"
        """,
    )
    assert [one.name for one in found] == ["folder", "bucket", "warehouse", "archive"]
    assert found[2].options["session"] == {"tez.queue.name": "reports"}
    assert [one.name for one in named(found)] == ["folder", "bucket", "warehouse"]
    assert section(found, "archive") == {"auth": "KERBEROS", "keytab": "/secrets/keytab"}
    assert section(found[:1], "archive") == {}


def test_no_file_is_no_connection() -> None:
    assert read_connections(None) == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[w", "is not TOML"),
        ("w = 1", "w stands outside of a section"),
        ("[w]", "needs a line such as url"),
        ("[w]\nurl = 1", "needs a line such as url"),
        ('[w]\nurl = "ftp://u:pw9@h"', r"[w] URL begins with ftp: known here is file:///folder"),
        ('[w]\nurl = "file://data"', "three slashes"),
        ('[w]\nurl = "file:///data"\ntables = ["a.b"]', "'tables' is not known"),
        ('[w]\nurl = "s3:///data"', "must look like s3://bucket"),
        ('[w]\nurl = "s3://k:pw9@bucket"', "must look like s3://bucket"),
        ('[w]\nurl = "hive://h/db"', "tables is missing"),
        ('[w]\nurl = "hive://h/db"\ntabels = ["a.b"]', "'tabels' is not known; known are url, tab"),
        ('[archive]\nurl = "hive://h/db"', "takes no url, which is LUPUS_ARCHIVE"),
        ('[archive]\nauth = "LDAP"', "needs user and password_file"),
    ],
)
def test_refusals_name_the_file_and_the_section(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InvalidError) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith("LUPUS_CONNECTIONS_FILE: ")
    assert words in str(caught.value)
    assert "pw9" not in str(caught.value)
