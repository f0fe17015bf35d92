"""A section of the connections file becomes options, or one sentence that says what is wrong."""

from pathlib import Path
from typing import Any

import pytest

from storage.errors import InvalidError
from storage.hive.options import HiveOptions, hive_options

URL = "hive://hive.example:10001/metrics"
TABLES = {"tables": ["ml_metrics.*"]}


def test_a_section_in_full(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("pw1\n")
    options = hive_options(
        "warehouse",
        URL,
        {
            "tables": ["ml_metrics.*", "other.one_*"],
            "functions": ["Get_Json_Object"],
            "dialect": "spark",
            "auth": "ldap",
            "user": "reader",
            "password_file": str(password),
            "transport": "https",
            "http_path": "/gateway/hive/",
            "session": {"tez.queue.name": "reports", "a.number": 2, "a.switch": True},
            "deadline_seconds": 60,
            "sessions": 2,
        },
        Path("/etc/ca.pem"),
    )
    assert (options.host, options.port, options.database) == ("hive.example", 10001, "metrics")
    assert (options.dialect, options.auth, options.user) == ("spark", "LDAP", "reader")
    assert (options.transport, options.http_path) == ("https", "gateway/hive")
    assert options.session == {"tez.queue.name": "reports", "a.number": "2", "a.switch": "true"}
    assert options.ca_bundle == Path("/etc/ca.pem")
    assert options.functions == ("get_json_object",)
    assert (options.deadline_seconds, options.sessions) == (60, 2)
    assert options.password.read() == "pw1"
    password.write_text("pw2")
    assert options.password.read() == "pw2"
    assert "pw2" not in repr(options)


def test_defaults() -> None:
    options = hive_options("warehouse", "hive://h", TABLES)
    assert (options.host, options.port, options.database) == ("h", 10000, "default")
    assert (options.auth, options.transport, options.dialect) == ("NONE", "binary", "hive")


@pytest.mark.parametrize(
    ("url", "section", "words"),
    [
        ("hive://lupus:pw9@h/db", TABLES, "password_file are lines of their own"),
        ("hive://pw9@h/db", TABLES, "lines of their own"),
        ("hive://h/db?auth=pw9", TABLES, "without"),
        ("hive://h/db#pw9", TABLES, "without"),
        ("hive://h:port/db", TABLES, "must look like"),
        ("hive://h:99999/db", TABLES, "must look like"),
        ("hive:///db", TABLES, "must look like"),
        ("hive://h/a/b", TABLES, "a database is named"),
        ("hive://h/a`b", TABLES, "a database is named"),
        ("hive://h;x/db", TABLES, "must look like"),
        ("http://h/db", TABLES, "must look like"),
        (URL, {}, "tables is missing"),
        (URL, {"tables": []}, "tables is missing"),
        (URL, {"tables": "a.*"}, "list of texts"),
        (URL, {"tables": ["metrics"]}, "a pattern is database.table"),
        (URL, {"tables": ["a.b.c"]}, "a pattern is database.table"),
        (URL, {"tables": ["a.`b`"]}, "a pattern is database.table"),
        (URL, {**TABLES, "functions": ["Reflect"]}, "reflect is never allowed"),
        (URL, {**TABLES, "functions": ["java_method"]}, "never allowed"),
        (URL, {**TABLES, "functions": ["a b"]}, "not the name of a function"),
        (URL, {**TABLES, "password": "pw9"}, "'password' is not known; known are url, tables"),
        (URL, {**TABLES, "auth": "PAM"}, "allowed is NONE, NOSASL, LDAP, KERBEROS"),
        (URL, {**TABLES, "auth": "LDAP"}, "needs user and password_file"),
        (URL, {**TABLES, "auth": "LDAP", "password_file": "/p"}, "needs user and password_file"),
        (URL, {**TABLES, "password_file": "/p"}, "goes with auth LDAP only"),
        (URL, {**TABLES, "password_file": "p"}, "absolute path"),
        (URL, {**TABLES, "keytab": "/k"}, "keytab goes with auth KERBEROS only"),
        (URL, {**TABLES, "auth": "NOSASL", "transport": "http"}, "binary and tls only"),
        (URL, {**TABLES, "http_path": "x"}, "http and https only"),
        (URL, {**TABLES, "transport": "http", "http_path": "a?b"}, "is not a path"),
        (URL, {**TABLES, "ca_bundle": "/ca"}, "tls and https only"),
        (URL, {**TABLES, "transport": "tcp"}, "allowed is binary, tls, http, https"),
        (URL, {**TABLES, "dialect": "presto"}, "allowed is hive, spark"),
        (URL, {**TABLES, "session": "x=y"}, "takes a table"),
        (URL, {**TABLES, "session": {"a b": "c"}}, "not the name of a setting"),
        (URL, {**TABLES, "session": {"a": "b\nc"}}, "takes a text, a number"),
        (URL, {**TABLES, "session": {"a": ["b"]}}, "takes a text, a number"),
        (URL, {**TABLES, "user": ""}, "a text in quotes"),
        (URL, {**TABLES, "user": "a\0b"}, "a text in quotes"),
        (URL, {**TABLES, "deadline_seconds": 0}, "allowed is 1 to 86400"),
        (URL, {**TABLES, "deadline_seconds": "1"}, "takes a number"),
        (URL, {**TABLES, "sessions": 1.5}, "a whole number"),
        (URL, {**TABLES, "sessions": True}, "takes a number"),
    ],
)
def test_refusals_name_the_section_and_what_is_allowed(
    url: str, section: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidError) as caught:
        hive_options("warehouse", url, section)
    assert "[warehouse]" in str(caught.value)
    assert words in str(caught.value)
    assert "pw9" not in str(caught.value)


def test_the_archive_needs_no_list_of_tables() -> None:
    assert hive_options("archive", URL, {}).allowed("any.table")


@pytest.mark.parametrize(
    ("table", "allowed"),
    [
        ("ml_metrics.points", True),
        ("ML_Metrics.Points", True),
        ("ml_metrics.a.b", False),
        ("ml_metricsX.points", False),
        ("other.one_1", True),
        ("other.two", False),
        ("bare", True),  # in the connection's own database
        ("x.bare", False),
        ("ml_metrics", False),
        ("", False),
    ],
)
def test_tables_outside_of_the_list_are_not_allowed(table: str, allowed: bool) -> None:
    patterns = ("ml_metrics.*", "other.one_*", "mine.bare")
    options = HiveOptions("h", database="mine", tables=patterns)
    assert options.allowed(table) is allowed
