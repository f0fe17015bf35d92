"""The server's words become one exception, on one line, without secrets."""

import pytest

from storage.errors import (
    BusyError,
    CorruptError,
    FullError,
    InvalidError,
    NotFoundError,
    RefusedError,
    StorageError,
    UnreachableError,
)
from storage.hive.errors import LostSessionError, shown, status_error


@pytest.mark.parametrize(
    ("message", "state", "kind"),
    [
        ("FAILED: SemanticException [Error 10001]: Table not found 'x'", "42S02", NotFoundError),
        ("HiveAccessControlException Permission denied: user [x]", "42000", RefusedError),
        ("[UNRESOLVED_COLUMN.WITH_SUGGESTION] ...", "42703", NotFoundError),
        ("Connection limit per user reached (user: x limit: 5)", "08S01", BusyError),
        ("Open sessions limit reached", None, BusyError),
        ("java.io.IOException: No space left on device", "08S01", FullError),
        ("file:/x/a.parquet is not a Parquet file", "08S01", CorruptError),
        ("java.io.FileNotFoundException: File s3a://b/t/dt=1/000000_0 is gone", "08S01", BusyError),
        ("Execution Error, return code 2 from TezTask", "08S01", UnreachableError),
        ("something about the words", "42000", InvalidError),
        (None, None, UnreachableError),
    ],
)
def test_kinds(message: str | None, state: str | None, kind: type[StorageError]) -> None:
    assert type(status_error("w", message, state)) is kind


def test_a_forgotten_session_is_told_apart() -> None:
    error = status_error("w", "Invalid SessionHandle: SessionHandle [x]", None)
    assert isinstance(error, LostSessionError)
    assert error.transient


@pytest.mark.parametrize(
    "text",
    [
        "cannot reach s3a://key:pw9@bucket/x",
        "fs.s3a.secret.key=pw9 is wrong",
        "javax.jdo.option.ConnectionPassword: pw9, url x",
        "the login of lupus with pw9 failed",
        'password="pw9 and more"',
    ],
)
def test_secrets_are_removed(text: str) -> None:
    assert "pw9" not in shown(text, ["pw9 and more", "pw9"] if "with" in text else [])


def test_one_line_without_java() -> None:
    said = shown(
        "org.apache.hive.service.cli.HiveSQLException: Error running query: [PARSE_SYNTAX_ERROR] "
        "org.apache.spark.sql.catalyst.parser.ParseException: \n"
        "[PARSE_SYNTAX_ERROR] Syntax error at or near 'selec'.\n\tat org.apache.x"
    )
    assert said == "[PARSE_SYNTAX_ERROR] Syntax error at or near 'selec'."
    assert len(shown("x" * 5_000)) == 600
