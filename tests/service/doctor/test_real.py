"""Each part broken in turn on real servers: exactly that part fails, and says what to do."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from sqlalchemy import create_engine

from service.database.engine import open_database
from service.database.migrate import upgrade
from service.demo.process import free_port
from service.settings import Settings
from storage.s3.objects import S3Objects
from tests.real import own_name, server
from tests.service.doctor.patient import failures, part_of, patient, the_failure
from tests.service.postgres_server import PrivateServer, private_server

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

STORES = ("folders", "secrets", "database", "archive", "connections", "index", "objects")
GOOD, WRONG = "the-good-passw0rd", "the-wrong-passw0rd"


# The database ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def postgres() -> Iterator[PrivateServer]:
    with private_server() as server:
        yield server


@pytest.fixture
def name(postgres: PrivateServer) -> str:
    """A database whose tables `lupus` owns, and of which `secured` has only what it is given."""
    name = own_name("lupus_")
    for role in ("lupus", "secured"):
        if not postgres.ask(f"SELECT 1 FROM pg_roles WHERE rolname = '{role}'"):
            postgres.ask(f"CREATE ROLE {role} LOGIN PASSWORD '{GOOD}'")
    postgres.ask(f"CREATE DATABASE {name} OWNER lupus")
    return name


def with_database(folder: Path, url: str, password: str = GOOD) -> Settings:
    return patient(folder, database=url, database_password=password, secret_key="k" * 32)


def test_a_sound_database_is_fine_but_for_its_encryption(
    postgres: PrivateServer, name: str, tmp_path: Path
) -> None:
    settings = with_database(tmp_path, postgres.url("lupus", name))
    found = part_of(settings, "database")
    assert found["revision"].state == "warning"
    assert "lupus-server migrate" in found["revision"].advice
    assert {found[one].state for one in ("reach", "version", "encoding", "rights", "clock")} == {
        "ok"
    }
    assert found["encryption"].state == "warning", "TLS, but nobody verifies who answers"
    database = open_database(settings.database_url, settings.database_access)
    upgrade(database)
    database.close()
    assert part_of(settings, "database")["revision"].state == "ok"


def test_a_wrong_password(postgres: PrivateServer, name: str, tmp_path: Path) -> None:
    settings = with_database(tmp_path, postgres.url("lupus", name), WRONG)
    finding = the_failure(settings, WRONG, GOOD, only=STORES)
    assert (finding.part, finding.check) == ("database", "credentials")
    assert "LUPUS_DATABASE_PASSWORD" in finding.advice


def test_an_unknown_database(postgres: PrivateServer, name: str, tmp_path: Path) -> None:
    settings = with_database(tmp_path, postgres.url("lupus", "nowhere"))
    finding = the_failure(settings, GOOD, only=STORES)
    assert (finding.part, finding.check) == ("database", "reach")
    assert "CREATE DATABASE" in finding.advice


def test_a_stopped_database(tmp_path: Path) -> None:
    url = f"postgresql+psycopg://lupus@127.0.0.1:{free_port()}/lupus"
    finding = the_failure(with_database(tmp_path, url), GOOD, only=STORES)
    assert (finding.part, finding.check) == ("database", "reach")
    assert "host and port" in finding.advice


def test_a_certificate_nobody_trusts(postgres: PrivateServer, name: str, tmp_path: Path) -> None:
    url = postgres.url("lupus", name, "?sslmode=verify-full")
    assert (
        part_of(
            patient(tmp_path, database=url, database_password=GOOD, ca_bundle=postgres.ca),
            "database",
        )["encryption"].state
        == "ok"
    )
    finding = the_failure(with_database(tmp_path, url), GOOD, only=STORES)
    assert (finding.part, finding.check) == ("database", "certificate")
    assert "LUPUS_CA_BUNDLE" in finding.advice


def test_a_missing_right(postgres: PrivateServer, name: str, tmp_path: Path) -> None:
    owner = with_database(tmp_path, postgres.url("lupus", name))
    database = open_database(owner.database_url, owner.database_access)
    upgrade(database)
    database.close()
    postgres.ask(
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO secured",
        "REVOKE DELETE ON runs FROM secured",
        database=name,
    )
    url = postgres.url("secured", name, "?sslmode=require")
    finding = the_failure(with_database(tmp_path, url), GOOD, only=STORES)
    assert (finding.part, finding.check) == ("database", "rights")
    assert "secured lacks DELETE on runs" in finding.detail
    engine = create_engine(postgres.url(database=name), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(finding.advice)  # the advice is what helps
    engine.dispose()
    rights = part_of(with_database(tmp_path, url), "database")["rights"]
    assert rights.state == "warning", "may work, and may not migrate"


# Objects on S3 --------------------------------------------------------------------------------


def s3(folder: Path, **changes: Any) -> Settings:
    parts = urlsplit(server("LUPUS_TEST_S3_URL"))
    given: dict[str, Any] = {
        "objects": f"s3://{parts.path.strip('/')}/{own_name('doctor')}",
        "s3_endpoint": urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], "", "", "")),
        "s3_access_key_id": parts.username,
        "s3_secret_access_key": parts.password,
    }
    return patient(folder, **{**given, **changes})


def test_a_sound_bucket_is_fine_and_left_as_it_was(tmp_path: Path) -> None:
    settings = s3(tmp_path)
    found = part_of(settings, "objects")
    assert {one.state for one in found.values()} == {"ok"}, found
    assert "conditional put" in found
    objects = S3Objects(settings.objects_url, settings.stores.s3, tmp_path)
    assert list(objects.names("")) == []


def test_a_wrong_secret_of_the_bucket(tmp_path: Path) -> None:
    finding = the_failure(s3(tmp_path, s3_secret_access_key=WRONG), WRONG, only=STORES)
    assert (finding.part, finding.check) == ("objects", "credentials")
    assert "LUPUS_S3_SECRET_ACCESS_KEY" in finding.advice


def test_an_unknown_bucket(tmp_path: Path) -> None:
    finding = the_failure(s3(tmp_path, objects=f"s3://{own_name('no-')}/x"), only=STORES)
    assert (finding.part, finding.check) == ("objects", "bucket")
    assert "create the bucket" in finding.advice


# The index on Elasticsearch -------------------------------------------------------------------


def test_a_sound_index(tmp_path: Path) -> None:
    url = server("LUPUS_TEST_ELASTICSEARCH_URL")
    found = part_of(patient(tmp_path, index=url, index_prefix=own_name("doctor-")), "index")
    assert failures(list(found.values())) == {}
    assert found["version"].detail.startswith("Elasticsearch ")


def test_a_stopped_index(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    finding = the_failure(patient(tmp_path, index=url), only=STORES)
    assert (finding.part, finding.check) == ("index", "reach")
    assert "LUPUS_INDEX" in finding.advice


# Hive -----------------------------------------------------------------------------------------


ANYTHING = 'tables = ["default.*"]'


def hive(folder: Path, url: str, *lines: str) -> Settings:
    file = folder / "connections.toml"
    file.write_text("\n".join(("[warehouse]", f'url = "{url}"', *lines)) + "\n")
    return patient(folder, connections_file=file)


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    settings = hive(tmp_path, server("LUPUS_TEST_HIVE_URL"), 'tables = ["default.nowhere"]')
    finding = the_failure(settings, only=STORES)
    assert (finding.part, finding.check) == ("connection warehouse", "table default.nowhere")
    found = {one.check: one.state for one in part_of(settings, "connections").values()}
    assert (found["session"], found["version"]) == ("ok", "ok")


def test_an_unknown_database_of_hive(tmp_path: Path) -> None:
    parts = urlsplit(server("LUPUS_TEST_HIVE_URL"))
    settings = hive(tmp_path, urlunsplit(parts._replace(path="/nowhere")), ANYTHING)
    finding = the_failure(settings, only=STORES)
    assert (finding.part, finding.check) == ("connection warehouse", "database")


def test_a_stopped_hive(tmp_path: Path) -> None:
    settings = hive(tmp_path, f"hive://127.0.0.1:{free_port()}/default", ANYTHING)
    finding = the_failure(settings, only=STORES)
    assert (finding.part, finding.check) == ("connection warehouse", "session")
    assert "host, port" in finding.advice


def test_an_archive_on_hive_may_make_tables(tmp_path: Path) -> None:
    url = server("LUPUS_TEST_HIVE_URL")
    settings = patient(tmp_path, archive=f"{url}?location=file://{tmp_path}/x&load=insert")
    found = part_of(settings, "archive")
    assert {one.state for one in found.values()} == {"ok"}, found
    assert "create tables" in found
