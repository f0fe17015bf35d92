"""What must work under every Python with nothing installed but urllib3; run by itself.

The arguments are the zip file and the service's address. Old Pythons run this: no newer syntax.
"""

import datetime as dt
import doctest
import importlib
import io
import pkgutil
import sys
from collections.abc import Callable
from typing import Any

sys.path.insert(0, sys.argv[1])

import lupus  # out of the zip file

# Parts that need more packages, and those that other tests run under other Pythons.
EXTRAS = ("plot.still", "plot.interactive", "local.", "cli.rules", "cli.__main__")
OWN = ("statistics", "evaluation", "drift", "checks")


def modules() -> "list[str]":
    names = [one.name for one in pkgutil.walk_packages(lupus.__path__, "lupus.")]
    cores = [name for name in names if name.split(".")[1] not in OWN]
    return [n for n in cores if not any(n.startswith(f"lupus.{extra}") for extra in EXTRAS)]


def check_modules() -> None:
    found = modules()
    assert len(found) > 25, found
    for name in found:
        failed, _ = doctest.testmod(importlib.import_module(name))
        assert not failed, name


def check_send(url: str) -> None:
    source = f"job.python{sys.version_info[0]}.{sys.version_info[1]}"
    client = lupus.Client(url)
    first = dt.date(2026, 9, 1)
    with client.batch(source) as batch:
        for day in range(30):
            batch.send({"rows": 50.0 if day == 28 else 100.0}, at=first + dt.timedelta(days=day))
    assert batch.sent.state == "succeeded", batch.sent
    at = dt.datetime(2026, 11, 8, 9, tzinfo=dt.timezone(dt.timedelta(hours=9)))
    sent = client.send(source, lupus.Metrics({"auc": 0.5}).labelled(region="jp"), at=at)
    assert client.send(source, {"auc": 0.5}, at, labels={"region": "jp"}).ingests == sent.ingests
    bounds = {"type": "threshold", "lower": 60.0}
    run = client.detect(source, "rows", bounds, rule="r", start=first, end="2026-10-01")
    run.wait(240)
    assert [row["value"] for row in run.anomalies()] == [50.0], run
    (chart,) = client.points(source, "rows", rule="r", start=first, end="2026-10-01")
    assert len(chart.values) == 30


def check_command(url: str) -> None:
    main: Any = importlib.import_module("lupus.cli.main").main
    source = f"job.command{sys.version_info[1]}"
    sys.stdin, out = io.StringIO(), sys.stdout
    sys.stdout = said = io.StringIO()
    try:
        assert main(["send", source, "--at", "2026-11-08", "rows=3", "--url", url]) == 0
        assert main(["anomalies", "--source", source, "--format", "json", "--url", url]) == 0
    finally:
        sys.stdout = out
    assert said.getvalue() == f"{source}: 1 point succeeded\n[]\n", said.getvalue()


def check_extras(url: str) -> None:
    parts: list[Callable[[], Any]] = [
        lambda: lupus.detect,
        lambda: lupus.Client(url).sources().to_pandas(),
    ]
    for part in parts:
        said = ""
        try:
            part()
        except lupus.ExtraError as error:
            said = str(error)
        assert "pip install" in said


check_modules()
check_send(sys.argv[2])
check_command(sys.argv[2])
check_extras(sys.argv[2])
sys.stdout.write(f"fine {lupus.__file__}\n")
