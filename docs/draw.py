"""Draw the README's picture from a real run: the chart of a series beside the message it caused.

    python docs/draw.py

It starts a service, sends series with one planted drop, detects, and draws what came back. It also
prints the request and the anomaly's document that the README quotes.
"""

import base64
import json
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from service.demo.api import ENDED, Api
from service.demo.process import running_service
from service.demo.receiver import Receiver
from service.demo.series import QUALITY, make_series, midnight

IMAGE = Path(__file__).parent / "images" / "drop.png"
SOURCE = "job.service1-recommend"
RULE = "ranking-daily"
BAND, LINE, MARK = "#b9d2ea", "#27455f", "#d1352b"


def request() -> dict[str, Any]:
    """What the README posts."""
    return {
        "rule": RULE,
        "source": SOURCE,
        "metric": "ndcg@10",
        "range": {"last": "60d"},
        "detector": {"type": "prophet"},
        "notify": {"channels": ["ml-hook"], "on": ["anomaly", "withdrawn"]},
    }


def run(api: Api, receiver: Receiver, secret: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Send, detect, wait; the anomaly's document and the message."""
    hook = {"kind": "webhook", "url": receiver.url, "secret": secret}
    api.call("PUT", "/v1/channels/ml-hook", json=hook)
    facts = {"ndcg@10": {"display_name": "nDCG@10", "format": "0.000", "good": "up"}}
    body = {"kind": "managed", "display_name": "Ranking", "metrics": facts}
    api.call("PUT", f"/v1/sources/{SOURCE}", json=body)
    series = [s for s in make_series(midnight(datetime.now(UTC)), 7) if s.source == QUALITY]
    series = [s for s in series if s.metric == "ndcg@10"]
    dropped = next(s for s in series if s.labels == {"region": "jp", "model": "dnn-v4"})
    dropped.values[-1] -= 12 * dropped.noise
    for one in series:
        one.source = SOURCE
    ingest = api.send(SOURCE, series)
    api.wait(f"/v1/ingests/{ingest}", lambda answer: answer["state"] in ("succeeded", "failed"))
    detection = api.detect(request())
    api.wait(f"/v1/detections/{detection}", lambda answer: answer["state"] in ENDED)
    found = api.anomalies(SOURCE, RULE)
    worst = max(found, key=lambda anomaly: anomaly["score"] or 0)
    give_up = time.monotonic() + 20
    while not receiver.received and time.monotonic() < give_up:
        time.sleep(0.1)
    return worst, receiver.received[0].body


def drawn_series(api: Api, anomaly: dict[str, Any]) -> dict[str, Any]:
    """Points, bands and anomalies of one series, as the API gives them for charts."""
    query = {
        "source": SOURCE,
        "metric": anomaly["metric"],
        "series": anomaly["series"],
        "rule": RULE,
        "start": f"{datetime.now(UTC) - timedelta(days=60):%Y-%m-%d}",
    }
    series: dict[str, Any] = api.call("GET", "/v1/points", params=query)["items"][0]
    return series


def draw(series: dict[str, Any], anomaly: dict[str, Any], message: dict[str, Any]) -> None:
    """Chart on the left, message on the right."""
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, width_ratios=(1.9, 1))
    _chart(left, series, anomaly)
    _card(right, message)
    figure.savefig(IMAGE, dpi=110)


def _chart(axes: Any, series: dict[str, Any], anomaly: dict[str, Any]) -> None:
    (band,) = series["bands"]
    axes.fill_between(
        _times(band["times_ms"]), band["lower"], band["upper"], color=BAND, label="expected range"
    )
    axes.plot(_times(series["times_ms"]), series["values"], color=LINE, linewidth=1.3)
    when = datetime.fromisoformat(anomaly["time"])
    axes.plot([when], [anomaly["value"]], "o", color=MARK, markersize=8, zorder=3)
    axes.set_title(anomaly["name"], loc="left", fontsize=11)
    locator = AutoDateLocator(maxticks=7)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.02)


def _times(times_ms: list[int]) -> list[datetime]:
    return [datetime.fromtimestamp(ms / 1000, UTC) for ms in times_ms]


def _card(axes: Any, message: dict[str, Any]) -> None:
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    card = FancyBboxPatch(
        (0.02, 0.06),
        0.94,
        0.86,
        boxstyle="round,pad=0.02",
        facecolor="#f7f8fa",
        edgecolor="#d5dae0",
    )
    axes.add_patch(card)
    data = message["data"]
    row = data["rows"][0]
    told = data["series"]
    lines: list[tuple[str, dict[str, Any]]] = [
        (data["title"], {"fontsize": 12, "fontweight": "bold", "color": MARK}),
        (f"{told['told']} of {told['total']} series, {row['date']}", {"fontsize": 10}),
        ("", {}),
        (", ".join(f"{name} {value}" for name, value in row["labels"].items()), {"fontsize": 10}),
        (f"{row['value_text']}  ({row['change_percent']:+.0f} %)", {"fontsize": 15}),
        (f"expected {row['expected_text']}", {"fontsize": 10}),
        ("", {}),
        (f"rule {data['rule']}, {data['detector']}", {"fontsize": 9, "color": "#66717c"}),
    ]
    for i, (text, style) in enumerate(lines):
        axes.text(0.07, 0.85 - 0.105 * i, text, va="center", **style)


def main() -> int:
    """Draw and print."""
    secret = "whsec_" + base64.b64encode(b"a secret of twenty-four!").decode()
    receiver = Receiver(secret)
    try:
        with tempfile.TemporaryDirectory() as data, running_service(Path(data)) as api:
            anomaly, message = run(api, receiver, secret)
            print(json.dumps(request()))
            print(json.dumps(anomaly, indent=1))
            draw(drawn_series(api, anomaly), anomaly, message)
    finally:
        receiver.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
