"""A service of its own on the production stack: Hive, S3, Elasticsearch, PostgreSQL, Argo.

Each test gets a Hive schema, a prefix in the bucket, an index prefix, a database and a namespace;
all are removed at its end. Servers may be replaced by wires that a test can cut.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from storage.errors import StorageError
from storage.hive.connection import HiveConnection
from storage.hive.options import hive_options
from storage.settings import S3Settings, StorageSettings
from storage.stores import open_objects
from tests.real import own_name, server
from tests.service.databases import empty
from tests.service.served import Served, served
from tests.storage.elasticsearch.server import Place, own_place
from tests.storage.s3.bucket import Bucket, own_bucket
from tests.workflows.argo.cluster import Space, namespace, until
from tests.workflows.argo.stack import image, pod_file

POINTS_PER_CHUNK = 8_000


@dataclass(frozen=True)
class Servers:
    """Where the servers are; empty: where the test servers listen. A drill puts wires here."""

    hive: str = ""  # host:port
    s3: str = ""  # http://host:port
    elasticsearch: str = ""  # http://host:port
    postgres: str = ""  # a URL without a database's name
    kubernetes: str = ""  # https://host:port


@dataclass
class Production:
    """The parts of one service, and the environment that names them."""

    space: Space
    bucket: Bucket
    index: Place
    schema: str
    environment: dict[str, str]
    hive: HiveConnection = field(repr=False)

    def commits(self, run: str) -> list[str]:
        """What is committed of a run, as names below its folder."""
        place = StorageSettings("", "", f"{self.bucket.url}/objects", s3=self.bucket.s3)
        objects = open_objects(place)
        root = f"runs/{run}/"
        return [name.removeprefix(root) for name in objects.names(root)]

    def committed(self, run: str, name: str, seconds: float = 300) -> None:
        """Wait until a run has a commit."""
        until(f"{name} of {run}", lambda: name in self.commits(run), seconds)


@contextmanager
def production(folder: Path, servers: Servers | None = None) -> Iterator[Production]:
    """The parts, without the service."""
    there = servers or Servers()
    tag = image()
    with ExitStack() as stack:
        space = stack.enter_context(namespace())
        bucket = stack.enter_context(own_bucket())
        index = stack.enter_context(own_place())
        database = stack.enter_context(_database(there.postgres, folder))
        hive_host = there.hive or urlsplit(server("LUPUS_TEST_HIVE_URL")).netloc
        schema, hive = stack.enter_context(_schema(hive_host))
        s3 = replace(bucket.s3, endpoint=there.s3 or bucket.s3.endpoint)
        secret = folder / "s3.secret"
        secret.write_text(s3.secret_access_key.read())
        space.secret("lupus-objects", {"secret": s3.secret_access_key.read()})
        pods = folder / "pods.yaml"
        pods.write_text(yaml.safe_dump(_pods()))
        environment = {
            "LUPUS_DATABASE": database,
            "LUPUS_ARCHIVE": f"hive://{hive_host}/{schema}?location={bucket.url}/archive",
            "LUPUS_INDEX": there.elasticsearch or index.url,
            "LUPUS_INDEX_PREFIX": index.settings.prefix,
            "LUPUS_INDEX_REPLICAS": "0",
            "LUPUS_OBJECTS": f"{bucket.url}/objects",
            **_s3(s3, secret),
            "LUPUS_EXECUTOR": "argo",
            "LUPUS_IMAGE": tag,
            "LUPUS_ARGO_NAMESPACE": space.name,
            "LUPUS_ARGO_POD_FILE": str(pods),
            "LUPUS_ARGO_URL": "https://argo.example.com",
            "LUPUS_CHUNK_SECONDS": "0.001",
            "KUBECONFIG": str(space.kubeconfig(folder / "kubeconfig", there.kubernetes)),
        }
        yield Production(space, bucket, index, schema, environment, hive)


@contextmanager
def serving(folder: Path, made: Production) -> Iterator[Served]:
    """The service on these parts."""
    with served(folder / "production", made.environment) as service:
        yield service


def _pods() -> dict[str, Any]:
    """The pod file; groups of few points, so that the story is worth several chunks."""
    given = pod_file()
    given["plan"]["env"] = [
        *given["plan"]["env"],
        {"name": "LUPUS_GROUP_POINTS", "value": str(POINTS_PER_CHUNK)},
    ]
    return given


def _s3(s3: S3Settings, secret: Path) -> dict[str, str]:
    return {
        "LUPUS_S3_ENDPOINT": s3.endpoint,
        "LUPUS_S3_REGION": s3.region,
        "LUPUS_S3_ACCESS_KEY_ID": s3.access_key_id,
        "LUPUS_S3_SECRET_ACCESS_KEY_FILE": str(secret),
    }


@contextmanager
def _database(url: str, folder: Path) -> Iterator[str]:
    if url:
        yield url
        return
    with empty("postgresql", folder) as made:
        yield made


@contextmanager
def _schema(host: str) -> Iterator[tuple[str, HiveConnection]]:
    name = own_name("lupus_")
    options = hive_options("test", f"hive://{host}/default", {"tables": ["*.*"]})
    hive = HiveConnection("test", options)
    try:
        hive.execute(f"CREATE DATABASE {name}")
        yield name, hive
        with suppress(StorageError):
            hive.execute(f"DROP DATABASE IF EXISTS {name} CASCADE")
    finally:
        hive.close()
