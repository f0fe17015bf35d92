"""Every setting of the service: one frozen object, built once where a process starts.

Each field is read from the environment variable ``LUPUS_<FIELD>``; a secret also from the file
that ``LUPUS_<FIELD>_FILE`` names. `docs/settings.md` is generated from this module.
"""

import os
from collections.abc import Mapping
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from service.database.access import Access
from service.egress.egress import Egress
from service.egress.proxy import Proxy
from service.errors import SettingsError
from service.settings_checks import (
    ARCHIVES,
    DATABASES,
    INDEXES,
    OBJECTS,
    check_image,
    check_proxy,
    check_seen_by_pods,
    check_token,
    check_url,
    is_loopback,
    split_list,
    unknown_names,
)
from storage.connections import read_connections
from storage.errors import InvalidError
from storage.secret import Secret
from storage.settings import ElasticsearchSettings, S3Settings, StorageSettings
from workflows.settings import WorkflowSettings

PREFIX = "LUPUS_"
MIB = 1024 * 1024

Network = IPv4Network | IPv6Network
Networks = Annotated[tuple[Network, ...], NoDecode, BeforeValidator(split_list)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_list)]


class Settings(BaseSettings):
    """What an operator may choose; every default is the embedded one."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True
    )

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
    executor: Literal["local", "argo", "auto"] = Field(
        "local",
        description="Who runs the steps: `local`, a pool of processes on this machine; `argo`, "
        "pods of an Argo Workflow; `auto`, Argo for what is worth its pods.",
    )
    image: str = Field(
        "",
        description="Image of the pods, with a tag that is not `latest`. Needed by `argo` and "
        "`auto`; plans and chunks say which one made them.",
    )
    argo_namespace: str = Field(
        "",
        description="Where workflows are created. Default: the namespace of this process's pod, "
        "else `default`.",
    )
    argo_service_account: str = Field(
        "lupus-worker", description="Service account of the pods of a workflow."
    )
    argo_url: str = Field(
        "",
        description="Where people reach Argo's pages, for links: `https://argo.example.com`.",
    )
    argo_instance_id: str = Field(
        "",
        description="Instance id of the controller that is to take the workflows, if it has one.",
    )
    argo_pod_file: Path | None = Field(
        None,
        description="YAML file with resources, secrets, placement and the like of the three kinds "
        "of pods, see [argo.md](argo.md).",
    )
    argo_max_workflows: int = Field(
        10, ge=1, le=1000, description="Runs on Argo at once; the others wait in the queue."
    )
    argo_parallelism: int = Field(
        50, ge=1, le=1000, description="Pods of one run that work at once."
    )
    argo_ttl_success_hours: float = Field(
        24.0, gt=0, description="Argo keeps a workflow that succeeded for so many hours."
    )
    argo_ttl_failure_hours: float = Field(
        168.0, gt=0, description="Argo keeps a workflow that failed for so many hours."
    )
    auto_core_seconds: float = Field(
        60.0,
        ge=0,
        description="With `auto`, what is estimated below so many core-seconds runs on this "
        "machine: the pods of a small run cost more than its work.",
    )

    host: str = Field(
        "127.0.0.1",
        description="Address to listen on. Anything but a loopback address needs a token first: "
        "`lupus-server token create`.",
    )
    port: int = Field(8700, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    public_url: str = Field(
        "",
        description="Where people reach this service, for links in messages: "
        "`https://lupus.example.com`. Empty: messages carry no links.",
    )
    report_link_days: int = Field(
        30,
        ge=0,
        le=3650,
        description="Days for which the link to a run's report in a message opens it without a "
        "token, see [report.md](report.md). 0: links carry no key, and no key is taken.",
    )
    worker: bool = Field(
        True, description="Whether `serve` also works off the queue; else start `worker` beside it."
    )
    drain_seconds: float = Field(
        0.0,
        ge=0,
        le=300,
        description="After SIGTERM readyz says 503 so long before the port is closed; give a load "
        "balancer the time that it needs to notice.",
    )
    local_admin: bool = Field(
        True,
        description="Whether a request without a token is the local administrator, on a loopback "
        "address only. Set false when other people work on the same machine.",
    )
    admin_token: SecretStr | None = Field(
        None,
        description="Token of an administrator that is in no database, so that a service which "
        "others can reach may start for the first time: `lps_` and 32 characters or more.",
    )
    token_max_days: int = Field(
        0,
        ge=0,
        le=36_500,
        description="Longest life of a token in days, from when it is made or prolonged; 0: no "
        "limit, and a token may never expire. Tokens that are there keep their end.",
    )
    metrics_public: bool = Field(
        False,
        description="Whether `/metrics`, which names sources and rules, needs no token.",
    )
    metrics_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="Port on which `worker`, which answers no other HTTP, shows what it counted "
        "to Prometheus, without a token and without names of sources or rules; 0 takes a free one. "
        "Default: none.",
    )
    metrics_host: str = Field(
        "127.0.0.1", description="Address of that port; 0.0.0.0 where Prometheus is elsewhere."
    )
    auto_create_sources: bool | None = Field(
        None,
        description="Whether the first points of an unknown source create it. Default: only on a "
        "loopback address.",
    )

    secret_key: SecretStr | None = Field(
        None,
        description="Encrypts the secrets of channels at rest: at least 32 characters. Default: "
        "made once and kept in `secret.key` in the data folder.",
    )
    ca_bundle: Path | None = Field(
        None, description="PEM file of certificate authorities that every client trusts."
    )
    egress_allow: Networks = Field(
        (),
        description="Internal networks that channels may reach, as CIDRs with commas: "
        "`10.20.0.0/16,fd00::/8`. All other addresses must be public.",
    )
    slack_api: str = Field(
        "https://slack.com/api",
        description="Where bots post: change it only for a gateway that stands before Slack.",
    )
    egress_proxy: str = Field(
        "",
        description="Proxy that channels' messages take to the outside, where it is reached only "
        "through one: `http://proxy:3128`, see [egress.md](egress.md). Variables such as "
        "`HTTPS_PROXY` are not read.",
    )
    egress_proxy_user: str = Field("", description="User at the proxy.")
    egress_proxy_password: SecretStr | None = Field(None, description="Password of that user.")
    egress_allow_hosts: Names = Field(
        (),
        description="Names that may be reached through the proxy, with commas: "
        "`hooks.slack.com,*.example.com`. Needed with a proxy, which resolves them itself.",
    )
    connections_file: Path | None = Field(
        None,
        description="TOML file that names the places external sources may read: "
        '`[warehouse]` and below it `url = "file:///data/warehouse"`.',
    )

    max_body_mb: int = Field(
        1024, ge=1, description="Largest body of points in MiB, also after decompression."
    )
    max_upload_mb: int = Field(
        4096, ge=1, description="Largest uploaded file of points in MiB, as it was sent."
    )
    max_request_kb: int = Field(1024, ge=16, description="Largest other body in KiB.")
    inline_points: int = Field(
        10_000, ge=0, description="Up to so many points are stored before the answer."
    )
    ingest_launch_mb: int = Field(
        16,
        ge=1,
        description="Points that are so many MiB as text, or more, are stored by the executor: a "
        "process of the pool, or a workflow; fewer by the worker itself, many requests together.",
    )
    max_labels: int = Field(32, ge=1, description="Most labels of a series.")
    max_label_length: int = Field(256, ge=1, description="Longest value of a label, in characters.")
    max_range_days: int = Field(3700, ge=1, description="Longest range of a detection, in days.")
    max_series: int = Field(100_000, ge=1, description="Most series of one detection.")
    max_runs_in_flight: int = Field(
        200, ge=1, description="Most runs of one source that may wait or run; past it 429."
    )
    run_deadline_hours: float = Field(
        24.0, gt=0, description="A run that is not over after this many hours fails."
    )

    retention_index_months: int = Field(
        0,
        ge=0,
        le=1200,
        description="Whole months of anomalies, chart points and bands that the index keeps; older "
        "ones are removed once a day. 0: for ever. The archive keeps points and results.",
    )
    retention_runs_days: int = Field(
        7, ge=1, description="Days that plans and chunk results of a run are kept."
    )
    retention_audit_days: int = Field(1100, ge=30, description="Days that the audit log is kept.")
    retention_run_rows_days: int = Field(
        396, ge=8, description="Days that the records of runs and deliveries are kept."
    )

    processes: int = Field(
        0,
        ge=0,
        description="Processes of the local pool; 0: one per core, and no more than a container's "
        "limits of CPU and memory have room for.",
    )
    chunk_seconds: float = Field(300.0, gt=0, description="Work per chunk that a plan aims at.")
    task_timeout_seconds: float = Field(
        3600.0, gt=0, description="A step that takes longer is ended and tried again."
    )
    pool_memory_mb: int = Field(
        2048, ge=128, description="A process of the pool above this is replaced."
    )
    duckdb_memory_mb: int = Field(1024, ge=64, description="Memory that DuckDB may use, in MiB.")
    duckdb_threads: int = Field(2, ge=1, description="Threads that DuckDB may use.")
    scratch: Path | None = Field(
        None,
        description="Folder for spooled bodies and for what does not fit into memory. "
        "Default: `scratch` in the data folder.",
    )

    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="`auto`: console on a terminal, JSON lines elsewhere."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least important events that are logged."
    )

    @model_validator(mode="before")
    @classmethod
    def _read_secret_files(cls, given: Any) -> Any:
        for name in secret_fields():
            path = os.environ.get(f"{PREFIX}{name.upper()}_FILE")
            if not path:
                continue
            if given.get(name):
                raise ValueError(
                    f"{PREFIX}{name.upper()} and {PREFIX}{name.upper()}_FILE are both set: keep one"
                )
            try:
                given = {**given, name: Path(path).read_text("utf-8").strip()}
            except OSError as error:
                raise ValueError(
                    f"{PREFIX}{name.upper()}_FILE: {error.strerror} ({path})"
                ) from None
        return given

    @model_validator(mode="after")
    def _refuse_impossible_mixes(self) -> Self:
        check_url("LUPUS_DATABASE", self.database_url, DATABASES)
        check_url("LUPUS_ARCHIVE", self.archive_url, ARCHIVES)
        check_url("LUPUS_INDEX", self.index_url, INDEXES)
        check_url("LUPUS_OBJECTS", self.objects_url, OBJECTS)
        if self.executor != "local":
            check_seen_by_pods(self.archive_url, self.index_url, self.objects_url)
            check_image(self.image)
        if self.argo_url and not self.argo_url.startswith(("http://", "https://")):
            raise ValueError("LUPUS_ARGO_URL must begin with http:// or https://")
        if self.index_url == self.database_url:
            raise ValueError(
                "LUPUS_INDEX and LUPUS_DATABASE name the same file: give the index its own, or "
                "accepting a request would wait for publishing"
            )
        if self.archive_url.rstrip("/") == self.objects_url.rstrip("/"):
            raise ValueError(
                "LUPUS_ARCHIVE and LUPUS_OBJECTS name the same folder: give each its own"
            )
        if self.public_url and not self.public_url.startswith(("http://", "https://")):
            raise ValueError("LUPUS_PUBLIC_URL must begin with http:// or https://")
        if self.secret_key and len(self.secret_key.get_secret_value()) < 32:
            raise ValueError("LUPUS_SECRET_KEY is too short: 32 characters or more")
        if self.admin_token:
            check_token("LUPUS_ADMIN_TOKEN", self.admin_token.get_secret_value())
        check_proxy(
            self.egress_proxy,
            self.egress_allow_hosts,
            self.egress_proxy_user,
            bool(self.secret("egress_proxy_password")),
        )
        if self.ca_bundle and not self.ca_bundle.is_file():
            raise ValueError(f"LUPUS_CA_BUNDLE: there is no file {self.ca_bundle}")
        return self

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
    def egress(self) -> Egress:
        """Where messages may go."""
        proxy = Proxy(
            self.egress_proxy,
            self.egress_allow_hosts,
            self.egress_proxy_user,
            self.secret("egress_proxy_password"),
        )
        return Egress(self.egress_allow, self.loopback, proxy=proxy if proxy.url else None)

    @property
    def measured_folders(self) -> dict[str, Path]:
        """The folders whose room is measured."""
        return {"data": self.folder, "scratch": self.scratch_folder}

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        return is_loopback(self.host)

    @property
    def creates_sources(self) -> bool:
        """Whether the first points of an unknown source create it."""
        return self.loopback if self.auto_create_sources is None else self.auto_create_sources

    def secret(self, name: str) -> Secret:
        """A secret for a client that reads it again when its credentials are refused."""
        path = os.environ.get(f"{PREFIX}{name.upper()}_FILE")
        if path:
            return Secret(file=Path(path))
        given = getattr(self, name)
        return Secret(given.get_secret_value() if given else "")

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

    @cached_property
    def steps(self) -> WorkflowSettings:
        """What the workflows room needs."""
        return WorkflowSettings(
            executor=self.executor,
            processes=self.processes,
            chunk_seconds=self.chunk_seconds,
            task_timeout_seconds=self.task_timeout_seconds,
            worker_memory_mb=self.pool_memory_mb,
            max_labels=self.max_labels,
            max_label_length=self.max_label_length,
        )


def secret_fields() -> tuple[str, ...]:
    """Names of the fields that have a ``_FILE`` twin."""
    return tuple(
        name
        for name, field in Settings.model_fields.items()
        if "SecretStr" in str(field.annotation)
    )


def load_settings(**given: Any) -> Settings:
    """Read the environment; arguments win. SettingsError says which setting to change."""
    try:
        settings = Settings(**given)
        settings.stores  # noqa: B018  # reads the connections file now, not at the first request
    except ValidationError as error:
        raise SettingsError(_sentences(error)) from None
    except InvalidError as error:
        raise SettingsError(str(error)) from None
    return settings


def misspelt(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables that look like settings and are none, each with the nearest that is."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    known |= {f"{PREFIX}{name.upper()}_FILE" for name in secret_fields()}
    return unknown_names(environment, known)


def _sentences(error: ValidationError) -> str:
    lines = []
    for one in error.errors(include_url=False, include_input=False):
        where = "".join(f"{PREFIX}{str(part).upper()}: " for part in one["loc"][:1])
        lines.append(where + one["msg"].removeprefix("Value error, "))
    return "; ".join(lines)
