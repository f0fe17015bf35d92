"""serve, worker, migrate: commands that run or prepare a service."""

from typing import Annotated

import typer

from service.cli.output import AsJson, say
from service.cli.who import note_change


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(serve)
    app.command()(worker)
    app.command()(migrate)


def serve(
    host: Annotated[str | None, typer.Option(help="LUPUS_HOST")] = None,
    port: Annotated[int | None, typer.Option(help="LUPUS_PORT; 0 takes a free one")] = None,
    with_worker: Annotated[
        bool | None,
        typer.Option("--worker/--no-worker", help="LUPUS_WORKER: run a worker inside."),
    ] = None,
) -> None:
    """Serve the HTTP API until SIGTERM; a worker runs inside unless told not to."""
    from service.serving import serve as run  # noqa: PLC0415 - keeps --help fast
    from service.settings import load_settings  # noqa: PLC0415

    given = {"host": host, "port": port, "worker": with_worker}
    run(load_settings(**{name: value for name, value in given.items() if value is not None}))


def worker() -> None:
    """Work off the queue until SIGTERM, beside a service on the same database."""
    from service.serving import work  # noqa: PLC0415
    from service.settings import load_settings  # noqa: PLC0415

    work(load_settings())


def migrate(
    back_to: Annotated[
        str | None,
        typer.Option(help="Take the tables back to this revision, before an older version runs."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Bring the database up to this version, or back to an older one's tables."""
    from service.database.engine import open_database  # noqa: PLC0415
    from service.database.migrate import downgrade, upgrade  # noqa: PLC0415
    from service.settings import load_settings  # noqa: PLC0415

    settings = load_settings()
    settings.folder.mkdir(parents=True, exist_ok=True)
    database = open_database(settings.database_url, settings.database_access)
    try:
        if back_to is not None:
            downgrade(database, back_to)
            say(f"taken back to {back_to}", {"revision": back_to, "migrated": True}, as_json)
            return
        revision = upgrade(database)
        if revision:
            note_change("database.migrate", "database", {"revision": revision})
    finally:
        database.close()
    text = f"migrated to {revision}" if revision else "the database is of this version already"
    say(text, {"revision": revision, "migrated": revision is not None}, as_json)
