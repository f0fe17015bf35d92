"""Where data lie."""

from functools import cached_property
from pathlib import Path

from pydantic import Field, SecretStr

from service.database.access import Access
from service.settings.part import Part
from storage.connections import read_connections
from storage.settings import ElasticsearchSettings, S3Settings, StorageSettings


class Stores(Part):
    """Where data lie."""

    data: Path = Field(
        Path(".lupus"),
        description="Folder of everything that is embedded. The default lies below the folder in "
        "which the command is started, so that two checkouts never share one.",
    )
    database: str = Field(
        "",
        description="Runs, queue, outbox, channels, tokens: `sqlite:////absolute/file.db` or "
        "`postgresql+psycopg://user@host/name`. Default: `lupus.db` in the data folder.",
    )
    database_password: SecretStr | None = Field(
        None, description="Password of the database's user."
    )
    database_connections: int = Field(
        16,
        ge=2,
        le=500,
        description="Most connections to PostgreSQL that one process opens. All processes together "
        "must stay below the server's `max_connections`.",
    )
    archive: str = Field(
        "",
        description="Long-term points and results: Parquet in `file:///folder` or in "
        "`s3://bucket/prefix`, or tables of a Hive server, `hive://host:10000/database`. "
        "Default: `archive` in the data folder.",
    )
    index: str = Field(
        "",
        description="Search and charts: `sqlite:////absolute/file.db`, never the database's file, "
        "or `https://elasticsearch:9200` (`?compat=8` for an 8.x server). "
        "Default: `index.db` in the data folder.",
    )
    index_prefix: str = Field(
        "lupus",
        pattern=r"^[a-z0-9][a-z0-9-]{0,62}$",
        description="How the names of our Elasticsearch indices begin.",
    )
    index_shards: int = Field(1, ge=1, le=64, description="Primary shards of a new index.")
    index_replicas: int = Field(1, ge=0, le=8, description="Copies of a new index's shards.")
    elasticsearch_api_key: SecretStr | None = Field(
        None, description="API key of Elasticsearch, as it encodes it; or a user and a password."
    )
    elasticsearch_user: str = Field("", description="User at Elasticsearch.")
    elasticsearch_password: SecretStr | None = Field(None, description="Password of that user.")
    objects: str = Field(
        "",
        description="Staged payloads, plans, chunk results: `file:///folder` or "
        "`s3://bucket/prefix`. Default: `objects` in the data folder.",
    )
    s3_endpoint: str = Field("", description="URL of the S3 server. Empty: AWS itself.")
    s3_region: str = Field("us-east-1", description="Region of the bucket.")
    s3_access_key_id: str = Field(
        "",
        description="Access key. Empty: the identity that the environment, the pod or the machine "
        "has (the `AWS_` variables, web identity, instance metadata).",
    )
    s3_secret_access_key: SecretStr | None = Field(None, description="Secret of the access key.")
    ca_bundle: Path | None = Field(
        None, description="PEM file of certificate authorities that every client trusts."
    )
    connections_file: Path | None = Field(
        None,
        description="TOML file that names the places external sources may read: "
        '`[warehouse]` and below it `url = "file:///data/warehouse"`.',
    )
    duckdb_memory_mb: int = Field(1024, ge=64, description="Memory that DuckDB may use, in MiB.")
    duckdb_threads: int = Field(2, ge=1, description="Threads that DuckDB may use.")
    scratch: Path | None = Field(
        None,
        description="Folder for spooled bodies and for what does not fit into memory. "
        "Default: `scratch` in the data folder.",
    )

    @cached_property
    def folder(self) -> Path:
        """The data folder, absolute."""
        return self.data.expanduser().resolve()

    @property
    def database_url(self) -> str:
        return self.database or f"sqlite:///{self.folder / 'lupus.db'}"

    @property
    def database_access(self) -> Access:
        """How the database is reached, besides its URL."""
        return Access(
            password=self.secret("database_password"),
            ca_bundle=self.ca_bundle,
            connections=self.database_connections,
        )

    @property
    def archive_url(self) -> str:
        return self.archive or (self.folder / "archive").as_uri()

    @property
    def index_url(self) -> str:
        return self.index or f"sqlite:///{self.folder / 'index.db'}"

    @property
    def objects_url(self) -> str:
        return self.objects or (self.folder / "objects").as_uri()

    @property
    def scratch_folder(self) -> Path:
        return self.scratch or self.folder / "scratch"

    @property
    def measured_folders(self) -> dict[str, Path]:
        """The folders whose room is measured."""
        return {"data": self.folder, "scratch": self.scratch_folder}

    @cached_property
    def stores(self) -> StorageSettings:
        """What the storage room needs."""
        return StorageSettings(
            archive=self.archive_url,
            index=self.index_url,
            objects=self.objects_url,
            connections=read_connections(self.connections_file),
            scratch=self.scratch_folder,
            memory_limit_mb=self.duckdb_memory_mb,
            threads=self.duckdb_threads,
            s3=S3Settings(
                endpoint=self.s3_endpoint,
                region=self.s3_region,
                access_key_id=self.s3_access_key_id,
                secret_access_key=self.secret("s3_secret_access_key"),
                ca_bundle=self.ca_bundle,
            ),
            elasticsearch=ElasticsearchSettings(
                api_key=self.secret("elasticsearch_api_key"),
                user=self.elasticsearch_user,
                password=self.secret("elasticsearch_password"),
                prefix=self.index_prefix,
                shards=self.index_shards,
                replicas=self.index_replicas,
                ca_bundle=self.ca_bundle,
            ),
        )
