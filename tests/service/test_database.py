"""What every database must do; see `databases.KINDS`."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Text, insert, inspect, literal, select, text

from service.database import tables
from service.database.counters import next_generation, next_sequence, next_value
from service.database.deliveries import (
    Delivery,
    DeliveryFilter,
    insert_delivery,
    list_deliveries,
)
from service.database.engine import Database, open_database
from service.database.metrics import learn_metrics, metrics_of
from service.database.migrate import _config, check_revision, upgrade
from service.database.sources import (
    delete_source,
    get_source,
    list_sources,
    purge_source,
    put_source,
)
from service.errors import (
    ConflictError,
    DatabaseError,
    NewerDatabaseError,
    OlderDatabaseError,
    RequestError,
)
from storage.index import MetricSummary
from tests.service.clocks import NOON
from tests.service.databases import KINDS, empty, opened


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with opened(request.param, tmp_path) as database:
        yield database


def test_a_text_that_no_database_keeps_is_the_callers_fault(database: Database) -> None:
    def asked() -> str:
        with database.read() as tx:
            return str(tx.execute(select(literal("a\0b", Text))).scalar_one())

    if database.engine.dialect.name == "sqlite":
        assert asked() == "a\0b"
        return
    with pytest.raises(RequestError, match="NUL"):
        asked()


def test_a_write_is_whole_or_nothing(database: Database) -> None:
    def half() -> None:
        with database.write() as tx:
            put_source(tx, "shop", "managed", "UTC", {}, NOON)
            raise KeyError

    with pytest.raises(KeyError):
        half()
    with database.read() as tx:
        assert list_sources(tx) == []


def test_a_read_is_one_view_while_others_write(database: Database) -> None:
    with database.read() as before:
        assert list_sources(before) == []
        with database.write() as tx:
            put_source(tx, "shop", "managed", "UTC", {}, NOON)
        assert list_sources(before) == []


def test_writers_wait_for_each_other_and_lose_nothing(database: Database) -> None:
    def count() -> None:
        for _ in range(25):
            with database.write() as tx:
                next_value(tx, "seen")

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.write() as tx:
        assert next_value(tx, "seen") == 101


def test_numbers_grow_when_the_clock_steps_back(database: Database) -> None:
    with database.write() as tx:
        first = next_sequence(tx, NOON), next_generation(tx, NOON)
        second = next_sequence(tx, NOON - 3_600_000), next_generation(tx, NOON - 3_600_000)
        third = next_sequence(tx, NOON + 1), next_generation(tx, NOON + 5)
    assert first == (NOON << 20, NOON)
    assert second == ((NOON << 20) + 1, NOON + 1)
    assert third == ((NOON + 1) << 20, NOON + 5)


def test_the_migrations_make_exactly_the_tables(database: Database) -> None:
    with database.read() as tx:
        assert compare_metadata(MigrationContext.configure(tx), tables.metadata) == []


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with empty(request.param, tmp_path) as url:
        yield url


def test_migrating_again_and_at_once_does_nothing(url: str) -> None:
    pools = [open_database(url) for _ in range(3)]
    done: list[str | None] = []
    threads = [
        threading.Thread(target=lambda pool=pool: done.append(upgrade(pool))) for pool in pools
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done, key=str) == ["0004", None, None]
    check_revision(pools[0])
    for pool in pools:
        pool.close()


def test_every_migration_can_be_undone_and_done_again(database: Database) -> None:
    config = _config()
    for command_, target in ((command.downgrade, "base"), (command.upgrade, "head")):
        with database.write() as tx:
            config.attributes["connection"] = tx
            command_(config, target)
        with database.read() as tx:
            left = set(inspect(tx).get_table_names()) - {"alembic_version"}
            assert left == (set() if target == "base" else set(tables.metadata.tables))
    with database.read() as tx:
        assert compare_metadata(MigrationContext.configure(tx), tables.metadata) == []


def test_a_newer_database_is_refused_and_untouched(database: Database) -> None:
    with database.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(NewerDatabaseError, match="revision 9999"):
        upgrade(database)
    with pytest.raises(NewerDatabaseError, match="newer version"):
        check_revision(database)


def test_an_empty_database_must_be_migrated_first(url: str) -> None:
    database = open_database(url)
    with pytest.raises(OlderDatabaseError, match="lupus-server migrate"):
        check_revision(database)
    database.close()


def test_errors_never_show_what_callers_sent(database: Database) -> None:
    row = {"caller": "a", "route": "r", "key": "s3cret-key", "body_hash": "s3cret-hash"}
    row |= {"kind": "run", "object_id": "1"}
    twice = insert(tables.idempotency).values([{**row, "created_ms": 1}] * 2)
    with pytest.raises(DatabaseError) as caught, database.write() as tx:
        tx.execute(twice)
    seen: BaseException | None = caught.value
    while seen is not None:
        assert "s3cret" not in str(seen)
        seen = seen.__cause__


def test_a_deleted_source_keeps_its_name_until_it_is_purged(database: Database) -> None:
    with database.write() as tx:
        assert put_source(tx, "shop", "managed", "UTC", {}, NOON)
        assert not put_source(tx, "shop", "managed", "Asia/Tokyo", {"a": 1}, NOON + 1)
        with pytest.raises(ConflictError, match="cannot become external"):
            put_source(tx, "shop", "external", "UTC", {}, NOON)
        assert delete_source(tx, "shop", NOON)
        assert not delete_source(tx, "shop", NOON)
        assert get_source(tx, "shop") is None
        assert get_source(tx, "shop", deleted=True) is not None
        with pytest.raises(ConflictError, match="reserved"):
            put_source(tx, "shop", "managed", "UTC", {}, NOON)
        purge_source(tx, "shop")
        assert put_source(tx, "shop", "managed", "UTC", {}, NOON)


def test_what_ingests_learned_is_widened_and_not_forgotten(database: Database) -> None:
    with database.write() as tx:
        learn_metrics(tx, "shop", {"ndcg": MetricSummary(2, 86_400_000, 100, 200)}, NOON)
        learn_metrics(tx, "shop", {"ndcg": MetricSummary(3, None, 150, 300)}, NOON)
        (metric,) = metrics_of(tx, "shop")
    assert (metric.step_ms, metric.series) == (86_400_000, 3)
    assert (metric.first_ms, metric.last_ms) == (100, 300)


def test_lists_page_without_loss_when_times_are_equal(database: Database) -> None:
    one = Delivery("m0", "r0", "shop", "chat", "anomaly", 1, "{}", "dead", created_ms=NOON)
    with database.write() as tx:
        for number in range(7):
            insert_delivery(tx, replace(one, id=f"m{number}", run=f"r{number}"))
    seen: list[str] = []
    before = None
    with database.read() as tx:
        while page := list_deliveries(tx, DeliveryFilter(state="dead"), 3, before):
            seen += [delivery.id for delivery in page]
            before = (page[-1].created_ms, page[-1].id)
    assert seen == [f"m{number}" for number in range(6, -1, -1)]
