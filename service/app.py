"""The composition root: everything is opened here, in order, and closed in reverse."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig

from service.api import (
    anomalies,
    audit,
    channels,
    charts,
    deliveries,
    detections,
    detectors,
    episodes,
    explanations,
    ingests,
    pipelines,
    points,
    probes,
    pushes,
    releases,
    remote_write,
    reports,
    sources,
    tokens,
    uploads,
)
from service.api.gate import Gate
from service.api.problems import MEDIA_TYPE, Problem, add_problem_handlers
from service.api.resources import Resources
from service.auth.last_use import noting_uses
from service.auth.report_key import report_keys
from service.auth.ways import ways_of
from service.clock import Clock, SystemClock
from service.database.engine import Database, open_database
from service.database.migrate import upgrade
from service.database.tokens import count_valid_tokens
from service.errors import SettingsError
from service.house_look import house_state
from service.metrics_endpoint import Measures
from service.secret_box import open_secret_box
from service.settings import Settings
from service.version import VERSION
from service.worker.settings import WorkerSettings
from service.working import working
from storage.errors import StorageError
from storage.location import BUCKETS, scheme_of
from storage.stores import Stores, open_stores
from workflows import tracing

_log = structlog.get_logger("service.app")
_PROBES = ("/livez", "/readyz", "/metrics")
_RESOURCES = (
    detections,
    explanations,
    reports,
    anomalies,
    episodes,
    sources,
    releases,
    points,
    pushes,
    remote_write,
    pipelines,
    uploads,
    charts,
    detectors,
    channels,
    deliveries,
    ingests,
    tokens,
    audit,
    probes,
)


@contextmanager
def open_resources(settings: Settings, clock: Clock | None = None) -> Iterator[Resources]:
    """Folders, database (migrated), stores and key of one process."""
    clock = clock or SystemClock()
    for folder in (settings.folder, settings.scratch_folder):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(
                f"{folder} cannot be made: {error.strerror}; set LUPUS_DATA (and LUPUS_SCRATCH) to "
                "a folder that this user may write"
            ) from None
    database = open_database(settings.database_url, settings.database_access)
    try:
        if revision := upgrade(database):
            _log.info("database_migrated", revision=revision)
        _refuse_open_door(settings, database, clock.now_ms())
        key = settings.secret_key.get_secret_value() if settings.secret_key else None
        box = open_secret_box(key, settings.folder / "secret.key")
        with open_stores(settings.stores) as stores, noting_uses(database) as uses:
            _refuse_unsafe_commits(settings, stores)
            yield Resources(
                settings=settings,
                database=database,
                stores=stores,
                clock=clock,
                ways=ways_of(
                    database,
                    clock,
                    uses,
                    settings.loopback and settings.local_admin,
                    settings.secret("admin_token"),
                    report_keys(box, settings.report_link_days),
                ),
                box=box,
                egress=settings.egress,
            )
    finally:
        database.close()


def _refuse_unsafe_commits(settings: Settings, stores: Stores) -> None:
    """A bucket where two could create one name would let two attempts of a step both count."""
    if scheme_of(settings.objects_url) not in BUCKETS:
        return
    from storage.s3.objects import check_conditional_puts  # noqa: PLC0415 - buckets only

    try:
        check_conditional_puts(stores.objects)
    except StorageError as error:
        if not error.transient:
            raise SettingsError(f"LUPUS_OBJECTS cannot be used: {error}") from error
        _log.warning("objects_not_checked", error=str(error))


def _refuse_open_door(settings: Settings, database: Database, now_ms: int) -> None:
    """Others could reach the service and nobody could log in, or everybody."""
    if settings.loopback or settings.admin_token:
        return
    with database.read() as tx:
        tokens_there = count_valid_tokens(tx, now_ms)
    if not tokens_there:
        raise SettingsError(
            f"LUPUS_HOST={settings.host} can be reached from other machines and there is no token "
            "yet: run `lupus-server token create --name admin --all` first, set LUPUS_ADMIN_TOKEN, "
            "or listen on 127.0.0.1"
        )


@contextmanager
def open_app(
    settings: Settings, clock: Clock | None = None, pace: WorkerSettings | None = None
) -> Iterator[FastAPI]:
    """The application with everything that it needs, and a worker unless told not to."""
    with ExitStack() as stack:
        resources = stack.enter_context(open_resources(settings, clock))
        app = create_app()
        app.state.resources = resources
        app.state.measures = Measures(
            lambda: house_state(resources.database, resources.clock.now_ms()),
            settings.measured_folders,
        )
        if settings.worker:
            stack.enter_context(working(resources, pace))
        yield app


def create_app() -> FastAPI:
    """Routes, middleware and problems; `open_app` gives them something to work with."""
    app = FastAPI(
        title="Lupus",
        version=VERSION,
        summary="Anomaly detection for the batch metrics of machine-learning products.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/v1/openapi.json",
        responses={"default": {"model": Problem, "description": "Why it was refused."}},
        separate_input_output_schemas=False,
        telemetry=_telemetry(),
    )
    for resource in _RESOURCES:
        app.include_router(resource.router)
    add_problem_handlers(app)
    app.add_middleware(Gate)
    _describe_problems(app)
    return app


def _telemetry() -> TelemetryConfig:
    """A span for a request where traces are wanted; never what a query may hold as a secret."""
    return {
        "tracing": tracing.provider() is not None,
        "tracer_provider": tracing.provider(),
        "operation_spans": False,
        "metrics": False,
        "logs": False,
        "auto_configure": False,
        "exclude": lambda scope: scope["path"] in _PROBES or b"key=" in scope["query_string"],
    }


def _describe_problems(app: FastAPI) -> None:
    """Say in the OpenAPI document what the framework cannot know: problems and tokens."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = generate()
            for path in document["paths"].values():
                for operation in path.values():
                    for answer in operation["responses"].values():
                        _name_problem(answer.get("content", {}))
            document["components"]["securitySchemes"] = {
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "lps_..."}
            }
            document["security"] = [{"token": []}, {}]
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _name_problem(content: dict[str, Any]) -> None:
    """A problem has a media type of its own."""
    for media, described in list(content.items()):
        if described.get("schema", {}).get("$ref") == "#/components/schemas/Problem":
            content[MEDIA_TYPE] = content.pop(media)
