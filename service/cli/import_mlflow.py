"""mlflow-import: metrics of an MLflow server into a source of a running service."""

from typing import Annotated

import typer

from service.cli.exits import USAGE, EndedError
from service.cli.output import AsJson, say


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("mlflow-import")(import_mlflow)


def import_mlflow(
    source: Annotated[str, typer.Option(help="Source that gets the points.")],
    mlflow_url: Annotated[str | None, typer.Option(help="MLFLOW_TRACKING_URI")] = None,
    experiment: Annotated[
        list[str] | None, typer.Option(help="Names or globs of experiments; default all.")
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="Names or globs of registered models; default all.")
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(help="Names or globs of metrics; default all but those of the system."),
    ] = None,
    history: Annotated[
        list[str] | None,
        typer.Option(help="Metrics of which each value is a point at its own time."),
    ] = None,
    param: Annotated[
        list[str] | None, typer.Option(help="Parameter that becomes a metric: training_rows.")
    ] = None,
    prefix: Annotated[str, typer.Option(help="Before each metric's name.")] = "",
    run_label: Annotated[
        str, typer.Option(help="A label `run` for values at a run's end: none, id or name.")
    ] = "none",
    dataset_label: Annotated[
        bool, typer.Option("--dataset-label", help="A label `dataset` where a run names one.")
    ] = False,
    children: Annotated[
        bool, typer.Option("--children", help="Also runs inside runs, such as trials.")
    ] = False,
    release_to: Annotated[
        list[str] | None,
        typer.Option(help="Source in which new versions are releases; repeat it."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(help="Read again from this date (UTC), whatever was imported: 2026-11-01."),
    ] = None,
    overlap: Annotated[
        str, typer.Option(help="How far behind the last day to look for what came late.")
    ] = "1d",
    per_second: Annotated[float, typer.Option(help="Most questions to MLflow a second.")] = 10.0,
    page: Annotated[int, typer.Option(help="Runs asked for at once.", min=1, max=1000)] = 100,
    retry_for: Annotated[str, typer.Option(help="How long to wait for either server.")] = "2m",
    url: Annotated[str | None, typer.Option(help="LUPUS_URL")] = None,
    create: Annotated[
        bool, typer.Option("--create", help="Make the source when it is not there.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Import what is new: runs that ended, histories, versions of models (docs/mlflow.md)."""
    from service.mlflow.command import Asked, carry_out  # noqa: PLC0415 - keeps --help fast

    if run_label not in ("none", "id", "name"):
        raise EndedError(USAGE, "--run-label: allowed are none, id and name")
    if not 0 < per_second <= 1000:
        raise EndedError(USAGE, "--per-second: allowed is more than 0, up to 1000")
    asked = Asked(
        source=source,
        mlflow_url=mlflow_url,
        url=url,
        experiments=tuple(experiment or ("*",)),
        models=tuple(model or ("*",)),
        metrics=tuple(metric or ()),
        histories=tuple(history or ()),
        params=tuple(param or ()),
        prefix=prefix,
        run_label=run_label,
        dataset_label=dataset_label,
        children=children,
        release_to=tuple(release_to or ()),
        since=since,
        overlap=overlap,
        per_second=per_second,
        page=page,
        retry_for=retry_for,
        create=create,
    )
    text, content = carry_out(asked)
    say(text, content, as_json)
