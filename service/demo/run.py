"""``lupus-server demo``: the whole main job on this machine, in under a minute."""

import base64
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.dataset
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from service.demo.api import ENDED, Api, DemoError
from service.demo.outcome import hold_against
from service.demo.plant import LatePartition, Planted, plant
from service.demo.process import LOG, running_service
from service.demo.receiver import Receiver
from service.demo.rules import LATE_RULE, RULES
from service.demo.series import PIPELINE, QUALITY, SERVING, DemoSeries, make_series, midnight
from service.demo.show import short, show_alarms, show_outcomes, show_received
from storage.settings import StorageSettings
from storage.stores import open_stores

SEED = 7
CHANNEL = "demo-hook"


def run_demo(folder: Path, console: Console) -> int:
    """Run it in ``folder``, which is emptied first; 0 when everything was delivered and right."""
    began = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    series = make_series(midnight(datetime.now(UTC)), SEED)
    planted, late = plant(series)
    points = sum(len(s.values) - len(s.missing) for s in series)
    console.print(
        f"[bold]Lupus demonstration[/]: {len(series)} series, {points:,} points, "
        f"{len(planted)} planted events, {len(RULES)} detections with 4 detectors"
    )
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
    receiver = Receiver(secret)
    try:
        with running_service(folder) as api, _progress(console) as progress:
            console.print(f"Service on {api.url}, log in {folder / LOG}", highlight=False)
            _prepare(api, receiver, secret, series, progress)
            runs = _detect(api, progress)
            anomalies = {rule.name: api.anomalies(rule.source, rule.name) for rule in RULES}
            withdrawn = _late_partition(api, late, runs[LATE_RULE]["id"], progress)
            _wait_for_withdrawal(receiver, progress)
        _show(console, planted, anomalies, runs, receiver)
        console.print(
            f"[bold]Late partition:[/] the rest of {short(late.series.name)} arrived, "
            f"the check ran again and withdrew {withdrawn} anomaly, because the data changed.\n",
            highlight=False,
        )
        for line in _where(folder):
            console.print(line, highlight=False, soft_wrap=True)
    finally:
        receiver.close()
    right = withdrawn == 1 and all(delivery.signed for delivery in receiver.received)
    console.print(_next_steps(time.monotonic() - began))
    return 0 if right else 1


def _progress(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
        console=console,
    )


def _prepare(
    api: Api, receiver: Receiver, secret: str, series: Sequence[DemoSeries], progress: Progress
) -> None:
    """Create channel and sources, send every point, wait until they can be detected."""
    channel = {"kind": "webhook", "url": receiver.url, "secret": secret}
    api.call("PUT", f"/v1/channels/{CHANNEL}", json=channel)
    sources = (QUALITY, PIPELINE, SERVING)
    task = progress.add_task("points stored", total=len(sources))
    ingests = {}
    for source in sources:
        api.call("PUT", f"/v1/sources/{source}", json={"kind": "managed", "timezone": "UTC"})
        ingests[source] = api.send(source, [s for s in series if s.source == source])
    for ingest in ingests.values():
        ended = api.wait(f"/v1/ingests/{ingest}", lambda i: i["state"] in ("succeeded", "failed"))
        if ended["state"] == "failed":
            raise DemoError(f"points were refused: {ended}")
        progress.advance(task)


def _detect(api: Api, progress: Progress) -> dict[str, dict[str, Any]]:
    """Post every rule, wait for all; the answers by rule."""
    task = progress.add_task("detections ended", total=len(RULES))
    ids = {rule.name: api.detect(rule.body(CHANNEL)) for rule in RULES}
    ended = {}
    for name, run in ids.items():
        ended[name] = api.wait(f"/v1/detections/{run}", lambda answer: answer["state"] in ENDED)
        progress.advance(task)
    return ended


def _late_partition(api: Api, late: LatePartition, run: str, progress: Progress) -> int:
    """The rest of the partition arrives; the same check again takes its anomaly back."""
    task = progress.add_task("late partition arrived, its alarm withdrawn", total=1)
    ingest = api.send_point(late.series, late.row, late.right_value)
    api.wait(f"/v1/ingests/{ingest}", lambda answer: answer["state"] in ("succeeded", "failed"))
    again = str(api.call("POST", f"/v1/detections/{run}/rerun")["id"])
    ended = api.wait(f"/v1/detections/{again}", lambda answer: answer["state"] in ENDED)
    withdrawn = int(ended["counts"]["withdrawn"])
    progress.update(task, completed=withdrawn)
    return withdrawn


def _wait_for_withdrawal(receiver: Receiver, progress: Progress) -> None:
    task = progress.add_task("webhooks delivered", total=None)
    give_up = time.monotonic() + 15
    while time.monotonic() < give_up:
        progress.update(task, completed=len(receiver.received))
        if any(delivery.type.startswith("lupus.withdrawn") for delivery in receiver.received):
            return
        time.sleep(0.2)


def _show(
    console: Console,
    planted: Sequence[Planted],
    anomalies: Mapping[str, Sequence[Mapping[str, Any]]],
    runs: Mapping[str, Mapping[str, Any]],
    receiver: Receiver,
) -> None:
    outcomes, alarms = hold_against(planted, RULES, anomalies)
    console.print()
    show_outcomes(console, outcomes)
    console.print()
    show_alarms(console, alarms, sum(int(run["counts"]["judged"]) for run in runs.values()))
    console.print()
    show_received(console, receiver.received)
    console.print()


def _where(folder: Path) -> Iterator[str]:
    """Where archive and index lie and how much they hold."""
    archive, index = folder / "archive", folder / "index.db"
    settings = StorageSettings(
        archive=archive.resolve().as_uri(),
        index=f"sqlite:///{index.resolve()}",
        objects=(folder / "objects").resolve().as_uri(),
    )
    with open_stores(settings) as stores:
        counted = ", ".join(f"{count:,} {kind}" for kind, count in stores.index.counts().items())
    yield f"[bold]index[/]    {index}: {counted}"
    for kind in ("points", "results"):
        rows = pyarrow.dataset.dataset(archive / kind, format="parquet").count_rows()
        yield f"[bold]archive[/]  {archive / kind}: {rows:,} rows of Parquet"


def _next_steps(seconds: float) -> str:
    return (
        f"\n[bold]Done in {seconds:.0f} s.[/] Next: [cyan]make serve[/] keeps a service running; "
        "[cyan]lupus-server try your.csv[/] runs a detector on your own file; README.md shows the "
        "request to send."
    )
