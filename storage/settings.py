"""Where the three stores are, and who asks there; built once by a process and passed down."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from storage.connections import Connection, read_connections
from storage.errors import InvalidError
from storage.secret import Secret, secret_of


@dataclass(frozen=True)
class S3Settings:
    """How ``s3://`` is reached. Without a key: the identity of the machine, pod or environment."""

    endpoint: str = ""  # empty: AWS itself
    region: str = "us-east-1"
    access_key_id: str = ""
    secret_access_key: Secret = field(default_factory=Secret)
    ca_bundle: Path | None = None


@dataclass(frozen=True)
class ElasticsearchSettings:
    """How Elasticsearch is asked: an API key, or a user with a password."""

    api_key: Secret = field(default_factory=Secret)
    user: str = ""
    password: Secret = field(default_factory=Secret)
    prefix: str = "lupus"
    shards: int = 1
    replicas: int = 1
    ca_bundle: Path | None = None


@dataclass(frozen=True)
class StorageSettings:
    """URLs of archive, index and objects, and the named connections of external sources."""

    archive: str  # file:///folder, s3://bucket/prefix, hive://host:10000/database
    index: str  # sqlite:////file.db, https://elasticsearch:9200
    objects: str  # file:///folder, s3://bucket/prefix
    connections: tuple[Connection, ...] = ()
    scratch: Path | None = None  # for spilled and fetched files; None: the temporary folder
    memory_limit_mb: int = 1024
    threads: int = 2
    s3: S3Settings = field(default_factory=S3Settings)
    elasticsearch: ElasticsearchSettings = field(default_factory=ElasticsearchSettings)


def settings_from(environment: Mapping[str, str]) -> StorageSettings:
    """The stores that a pod is told of, in the words of the service's settings.

    Raises
    ------
    InvalidError
        A variable cannot be used; the message names it.
    """
    data = Path(environment.get("LUPUS_DATA") or ".lupus").absolute()
    ca_bundle = _path(environment, "LUPUS_CA_BUNDLE")
    s3, elasticsearch = S3Settings(), ElasticsearchSettings()
    return StorageSettings(
        archive=environment.get("LUPUS_ARCHIVE") or f"file://{data}/archive",
        index=environment.get("LUPUS_INDEX") or f"sqlite:///{data}/index.db",
        objects=environment.get("LUPUS_OBJECTS") or f"file://{data}/objects",
        connections=read_connections(_path(environment, "LUPUS_CONNECTIONS_FILE")),
        scratch=_path(environment, "LUPUS_SCRATCH"),
        memory_limit_mb=whole_number(environment, "LUPUS_DUCKDB_MEMORY_MB", 1024),
        threads=whole_number(environment, "LUPUS_DUCKDB_THREADS", 2),
        s3=S3Settings(
            endpoint=environment.get("LUPUS_S3_ENDPOINT", ""),
            region=environment.get("LUPUS_S3_REGION") or s3.region,
            access_key_id=environment.get("LUPUS_S3_ACCESS_KEY_ID", ""),
            secret_access_key=secret_of(environment, "LUPUS_S3_SECRET_ACCESS_KEY"),
            ca_bundle=ca_bundle,
        ),
        elasticsearch=ElasticsearchSettings(
            api_key=secret_of(environment, "LUPUS_ELASTICSEARCH_API_KEY"),
            user=environment.get("LUPUS_ELASTICSEARCH_USER", ""),
            password=secret_of(environment, "LUPUS_ELASTICSEARCH_PASSWORD"),
            prefix=environment.get("LUPUS_INDEX_PREFIX") or elasticsearch.prefix,
            shards=whole_number(environment, "LUPUS_INDEX_SHARDS", elasticsearch.shards),
            replicas=whole_number(environment, "LUPUS_INDEX_REPLICAS", elasticsearch.replicas),
            ca_bundle=ca_bundle,
        ),
    )


def _path(environment: Mapping[str, str], name: str) -> Path | None:
    text = environment.get(name)
    return Path(text) if text else None


def whole_number(environment: Mapping[str, str], name: str, default: int) -> int:
    """A number of the environment; InvalidError names the variable that is none."""
    text = environment.get(name) or str(default)
    if not text.isdecimal():
        raise InvalidError(f"{name} is {text!r}; allowed is a whole number")
    return int(text)
