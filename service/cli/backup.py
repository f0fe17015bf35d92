"""backup and restore: database, archive and key of an embedded service; what servers keep stays."""

from pathlib import Path
from typing import Annotated

import typer

from service.cli.output import AsJson, say


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(backup)
    app.command()(restore)


def backup(
    folder: Annotated[Path, typer.Argument(help="A new folder; it holds secrets.")],
    as_json: AsJson = False,
) -> None:
    """Copy database, archive and key while the service works; servers are backed up by theirs."""
    from service.backup.save import Backup  # noqa: PLC0415 - keeps --help fast
    from service.clock import SystemClock  # noqa: PLC0415
    from service.settings import load_settings  # noqa: PLC0415

    made = Backup(load_settings(), folder.resolve(), SystemClock().now_ms()).save()
    kept = [
        f"{name}: {'copied' if there else elsewhere}"
        for name, there, elsewhere in (
            ("database", made.database, "NOT copied, it is a server's (pg_dump, before this)"),
            ("archive", made.archive, "NOT copied, it is kept elsewhere (bucket or Hive)"),
            ("key", made.key, "NOT copied, LUPUS_SECRET_KEY has it: keep it, too"),
        )
    ]
    size = f"{made.bytes / 1e6:,.1f} MB, {made.files} files of the archive"
    say("\n".join([f"{folder}: {size}", *kept]), vars(made), as_json)


def restore(
    folder: Annotated[Path, typer.Argument(help="What `backup` made.")],
    rebuild: Annotated[
        bool, typer.Option("--rebuild/--no-rebuild", help="Make the index again afterwards.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Come back from a backup, into empty places; end every process of the service before."""
    from service.backup.load import Restoration  # noqa: PLC0415 - keeps --help fast
    from service.cli.index import rebuild_index  # noqa: PLC0415
    from service.clock import SystemClock  # noqa: PLC0415
    from service.settings import load_settings  # noqa: PLC0415

    restoring = Restoration(load_settings(), folder.resolve(), SystemClock().now_ms())
    manifest, settled = restoring.load()
    say(
        f"restored the backup of {manifest.at}: {settled.jobs_freed} jobs go on, "
        f"{settled.messages_kept} messages that may have been sent are kept back "
        "(GET /v1/deliveries?state=dead)",
        {"at": manifest.at, **vars(settled)},
        as_json,
    )
    if rebuild:
        rebuild_index(None, None, as_json)
