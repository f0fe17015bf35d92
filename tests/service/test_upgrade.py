"""A database of the version before, with rows in every table, becomes this version's and back."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import (
    JSON,
    Connection,
    MetaData,
    Table,
    Uuid,
    inspect,
    select,
)
from sqlalchemy.schema import ColumnCollectionConstraint
from sqlalchemy.types import BigInteger, Integer, TypeEngine

from service.cli import main
from service.database import tables
from service.database.channels import get_channel
from service.database.counters import next_generation
from service.database.deliveries import get_delivery, update_delivery
from service.database.engine import Database, open_database
from service.database.ingests import get_ingest
from service.database.migrate import _config, downgrade, revision_of, upgrade
from service.database.queue import Leaser, NewJob, add_job, finish, lease
from service.database.runs import get_run, update_run
from service.database.sources import get_source
from service.database.tokens import token_by_hash
from service.errors import OlderDatabaseError, RequestError
from tests.service.databases import KINDS, empty

BEFORE = "0002"
NOW = 1_780_000_000_000


@pytest.fixture(params=KINDS)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database as the version before made it, with two rows in every table."""
    with empty(request.param, tmp_path) as url:
        database = open_database(url)
        try:
            with database.write() as tx:
                config = _config()
                config.attributes["connection"] = tx
                command.upgrade(config, BEFORE)
                for table in shape(tx).values():
                    tx.execute(table.insert(), [row(table, number) for number in (1, 2)])
            yield database
        finally:
            database.close()


def shape(tx: Connection) -> dict[str, Table]:
    """The tables as they are there, without alembic's own."""
    found = MetaData()
    found.reflect(tx)
    return {name: table for name, table in found.tables.items() if name in tables.metadata.tables}


_JSON: dict[str, Any] = {
    "body": {"kind": "managed"},
    "events": ["anomaly"],
    "verbs": ["read"],
    "sources": ["*"],
    "errors": [],
    "after": [],
}
_VALUES: dict[str, Any] = {
    "state": "queued",
    "kind": "run",
    "timezone": "UTC",
    "disabled_reason": "",
    "error": "",
    "pointer": "",
    "deleted_ms": None,
    "revoked_ms": None,
    "ended_ms": None,
    "cleaned_ms": None,
    "lane": None,
    "owner": None,
    "holder": None,
    "lease_until_ms": None,
    "run_at_ms": NOW,
}


def row(table: Table, number: int) -> dict[str, Any]:
    """A row as the version before writes it: every column that it knows."""
    return {column.name: _value(column.name, column.type, number) for column in table.columns}


def _value(name: str, type_: TypeEngine[Any], number: int) -> Any:
    if isinstance(type_, JSON):
        return _JSON.get(name, {"of": name, "number": number})
    if name in _VALUES:
        return _VALUES[name]
    if isinstance(type_, Integer):
        return NOW + number if isinstance(type_, BigInteger) else number
    assert not isinstance(type_, Uuid)
    return f"{name}-{number}"[: getattr(type_, "length", None) or 100]


def everything(tx: Connection, known: dict[str, Table]) -> dict[str, list[tuple[Any, ...]]]:
    """Every row, by the columns that a version knows."""
    return {
        name: sorted((tuple(found) for found in tx.execute(select(table))), key=repr)
        for name, table in known.items()
    }


def test_every_row_survives_the_upgrade_and_the_way_back(old: Database) -> None:
    with old.read() as tx:
        known = shape(tx)
        before = everything(tx, known)
    assert len(before) >= 13
    assert all(len(rows) == 2 for rows in before.values())
    assert upgrade(old) is not None
    with old.read() as tx:
        assert everything(tx, known) == before
    downgrade(old, BEFORE)
    assert revision_of(old) == BEFORE
    with old.read() as tx:
        assert everything(tx, known) == before
        assert {n: set(t.columns.keys()) for n, t in shape(tx).items()} == {
            n: set(t.columns.keys()) for n, t in known.items()
        }
    assert upgrade(old) is not None
    with old.read() as tx:
        assert everything(tx, known) == before


def test_old_rows_are_read_and_worked_with_by_this_version(old: Database) -> None:
    upgrade(old)
    with old.write() as tx:
        run = get_run(tx, "id-1")
        assert run is not None
        assert (run.source, run.rule, run.request) == (
            "source-1", "rule-1", {"of": "request", "number": 1},
        )  # fmt: skip
        assert update_run(tx, run.id, state="running")
        delivery = get_delivery(tx, "id-2")
        assert delivery is not None
        assert delivery.counter == NOW + 2
        assert update_delivery(tx, delivery.id, state="sent", sent_ms=NOW)
        channel = get_channel(tx, "name-1")
        assert channel is None or channel.secret == "secret-1"
        token = token_by_hash(tx, "hash-1")
        assert token is not None
        assert (token.name, list(token.verbs)) == ("name-1", ["read"])
        assert get_source(tx, "name-1") is not None
        ingest = get_ingest(tx, "id-1")
        assert ingest is not None
        assert ingest.sequence == NOW + 1
        assert next_generation(tx, 1) == 1, "counters of other names are not touched"
        job = lease(tx, Leaser("w", "h"), ("run",), NOW + 10, 30_000)
        assert job is not None
        finish(tx, job)
        assert add_job(tx, NewJob("new", "run", "shop"), NOW)


def test_what_the_version_before_does_still_works_beside_this_one(old: Database) -> None:
    """Expand, then contract: its processes answer on while the new ones come."""
    with old.read() as tx:
        known = shape(tx)
    upgrade(old)
    with old.write() as tx:
        for table in known.values():
            new = row(table, 3)
            tx.execute(table.insert(), new)
            key = [column == new[column.name] for column in table.primary_key.columns]
            found = tx.execute(select(table).where(*key)).one()
            assert dict(found._mapping) == new, table.name
            others = {c.name: new[c.name] for c in table.columns if not c.primary_key}
            assert tx.execute(table.update().where(*key).values(others)).rowcount == 1, table.name
            assert tx.execute(table.delete().where(*key)).rowcount == 1, table.name
        assert_only_additions(tx, known)


def assert_only_additions(tx: Connection, known: dict[str, Table]) -> None:
    now = shape(tx)
    for name, table in known.items():
        for column in now[name].columns:
            if column.name in table.columns:
                assert column.nullable or not table.columns[column.name].nullable, column
            else:
                assert column.nullable or column.server_default is not None, column
        assert _constraints(now[name]) <= _constraints(table), f"{name} has a new constraint"
        unique = {
            tuple(one["column_names"]) for one in inspect(tx).get_indexes(name) if one["unique"]
        }
        known_unique = {tuple(i.columns.keys()) for i in table.indexes if i.unique}
        assert unique <= known_unique | _constraints(table), name


def _constraints(table: Table) -> set[tuple[str, ...]]:
    return {
        tuple(one.columns.keys())
        for one in table.constraints
        if isinstance(one, ColumnCollectionConstraint)
    }


def test_the_way_back_has_a_command(
    old: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any
) -> None:
    if old.engine.dialect.name != "sqlite":
        pytest.skip("the command is the same")
    monkeypatch.setenv("LUPUS_DATA", str(tmp_path))
    assert main(["migrate"]) == 0
    assert revision_of(old) != BEFORE
    assert main(["migrate", "--back-to", "9999"]) != 0
    assert "0001, 0002" in capsys.readouterr().err
    assert main(["migrate", "--back-to", BEFORE]) == 0
    assert revision_of(old) == BEFORE
    with pytest.raises(RequestError, match="is at 0002"):
        downgrade(old, "0003")
    assert OlderDatabaseError.__doc__
