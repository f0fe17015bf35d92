"""Draw the pictures of docs/notifications.md: messages as people see them, and when they come.

    python docs/draw_messages.py

The messages are those of docs/events.json, rendered by the kinds of channels themselves; only the
frame around them is drawn here. It needs Debian's chromium.
"""

import html
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops

from service.notifications.events import Event
from service.notifications.examples import example
from service.notifications.kinds.alerts import Alerting, alerts_of
from service.notifications.kinds.kind import Message
from service.notifications.kinds.slack_blocks import blocks_of

IMAGES = Path(__file__).parent / "images"
NOW_MS = 1_794_171_660_000  # a minute after the examples
STYLE = """
body { margin: 0; padding: 16px; background: #fff; width: 700px; color: #1d1c1d;
  font: 15px/1.47 Lato, 'Helvetica Neue', Arial, 'DejaVu Sans', 'Noto Color Emoji', sans-serif }
.message { display: flex; gap: 10px; padding: 8px 0 }
.reply { margin-left: 46px; border-left: 2px solid #ddd; padding-left: 14px }
.icon { width: 36px; height: 36px; border-radius: 6px; background: #27455f; color: #fff;
  font-weight: bold; font-size: 20px; text-align: center; line-height: 36px; flex: none }
.who { font-weight: 900 } .app { background: #e8e8e8; font-size: 10px; border-radius: 2px;
  padding: 1px 4px; margin: 0 4px; color: #616061 } .when { color: #616061; font-size: 12px }
.header { font-size: 18px; font-weight: 900; margin: 4px 0 } .section { margin: 6px 0 }
.context { color: #616061; font-size: 13px; margin: 6px 0 } a { color: #1264a3;
  text-decoration: none } .mark { display: inline-block;
  width: 12px; height: 12px; border-radius: 6px; vertical-align: -1px }
.alert { border: 1px solid #dee2e6; border-radius: 4px; padding: 12px; font-size: 14px }
.alert b { font-weight: 600 } .alert .time { color: #6c757d; margin-bottom: 6px }
.pill { display: inline-block; border: 1px solid #6c757d; color: #495057; border-radius: 4px;
  padding: 1px 7px; margin: 2px; font: 12px/1.5 'DejaVu Sans Mono', monospace }
table { border-collapse: collapse; margin: 8px 0; font-size: 13px } td { padding: 2px 10px 2px 0;
  vertical-align: top } td:first-child { color: #6c757d }
"""


_MARKS = {"🔴": "#dd2e44", "🟠": "#f4900c", "🟡": "#fdcb58", "✅": "#77b255"}


def slack(event: Event, reply: bool = False) -> str:
    """One message in Slack, or what is in its thread."""
    blocks = "".join(_block(block) for block in blocks_of(event, example(event)["data"]))
    kind, when = ("message reply", "next day, 6:00 AM") if reply else ("message", "6:00 AM")
    return (
        f'<div class="{kind}"><div class="icon">L</div><div><span class="who">Lupus</span>'
        f'<span class="app">APP</span><span class="when">{when}</span>{blocks}</div></div>'
    )


def _block(block: dict[str, Any]) -> str:
    kind = block["type"]
    if kind == "context":
        inside = " ".join(_markdown(element["text"]) for element in block["elements"])
    elif kind == "header":
        inside = block["text"]["text"]
    else:
        inside = _markdown(block["text"]["text"])
    return f'<div class="{kind}">{inside}</div>'


def _markdown(text: str) -> str:
    """Slack's markup as HTML: the text is escaped already."""
    text = re.sub(r"<(https?://[^|>]+)\|([^>]*)>", r'<a href="\1">\2</a>', text)
    text = re.sub(r"\*([^*\n]+)\*", r"<b>\1</b>", text)
    for letter, color in _MARKS.items():  # not every machine has letters in colour
        text = text.replace(letter, f'<span class="mark" style="background: {color}"></span>')
    return text.replace("\n", "<br>")


def alert(event: Event) -> str:
    """The first alert of a message, as Alertmanager shows it."""
    body = example(event)
    first = alerts_of(Alerting({"team": "rec"}), Message(body["id"], json.dumps(body)), NOW_MS)[0]
    pills = "".join(
        f'<span class="pill">{name}="{html.escape(_short(value))}"</span>'
        for name, value in sorted(first["labels"].items())
    )
    rows = "".join(
        f"<tr><td>{name}</td><td>{html.escape(value)}</td></tr>"
        for name, value in first["annotations"].items()
        if not name.startswith("link_")
    )
    links = " · ".join(
        f'<a href="{html.escape(value)}">{name.removeprefix("link_")}</a>'
        for name, value in first["annotations"].items()
        if name.startswith("link_")
    )
    return (
        f'<div class="alert"><div class="time"><b>{first["startsAt"]}</b></div>{pills}'
        f"<table>{rows}</table>{links}</div>"
    )


def _short(text: str) -> str:
    return text if len(text) <= 20 else f"{text[:8]}…"


# What the timeline tells: day, value, and what is said in the morning after.
STORY: Sequence[tuple[str, float, str]] = (
    ("Mon 2", 0.41, ""),
    ("Tue 3", 0.415, ""),
    ("Wed 4", 0.36, "anomaly: new, Major"),
    ("Thu 5", 0.358, ""),
    ("Fri 6", 0.31, "anomaly: worse, Critical"),
    ("Sat 7", 0.315, ""),
    ("Sun 8", 0.412, "anomaly: back to normal"),
    ("Mon 9", 0.37, "anomaly: new, Major"),
    ("Tue 10", 0.41, "withdrawn: Monday's data was corrected"),
)
_WIDTH, _HEIGHT, _STEP, _LEFT = 860, 235, 88, 60
_LOW, _HIGH = 0.29, 0.45


def timeline() -> str:
    """Days, the expected band, and the messages as an SVG picture."""
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
            'font-family="Helvetica, Arial, sans-serif" font-size="12">',
            f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
            f'<rect x="{_LEFT - 30}" y="{_y(0.435):.0f}" width="{_WIDTH - _LEFT}" '
            f'height="{_y(0.391) - _y(0.435):.0f}" fill="#d9e7f4"/>',
            f'<text x="{_LEFT - 26}" y="{_y(0.435) - 5:.0f}" fill="#5a7fa3">expected</text>',
            f'<polyline points="{_line()}" fill="none" stroke="#27455f" stroke-width="1.5"/>',
            *_marks(),
            "</svg>\n",
        )
    )


def _x(day: int) -> float:
    return _LEFT + day * _STEP


def _y(value: float) -> float:
    return 20 + (_HIGH - value) / (_HIGH - _LOW) * 120


def _line() -> str:
    return " ".join(f"{_x(day)},{_y(value):.1f}" for day, (_, value, _) in enumerate(STORY))


def _marks() -> Iterator[str]:
    for day, (name, value, said) in enumerate(STORY):
        x, y = _x(day), _y(value)
        color = "#27455f" if value > 0.39 else ("#d1352b" if value < 0.33 else "#e08a1e")
        yield f'<circle cx="{x}" cy="{y:.1f}" r="5" fill="{color}"/>'
        yield f'<text x="{x}" y="160" text-anchor="middle" fill="#66717c">{name}</text>'
        if not said:
            yield f'<text x="{x}" y="186" text-anchor="middle" fill="#aab2ba">silent</text>'
            continue
        kind, _, rest = said.partition(": ")
        yield (
            f'<line x1="{x}" y1="{y + 7:.1f}" x2="{x}" y2="146" stroke="{color}" '
            'stroke-dasharray="2 3"/>'
        )
        yield f'<text x="{x}" y="186" text-anchor="middle" font-weight="bold">{kind}</text>'
        for number, word in enumerate(_wrapped(rest)):
            yield f'<text x="{x}" y="{202 + 14 * number}" text-anchor="middle">{word}</text>'


def _wrapped(text: str, most: int = 14) -> list[str]:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) > most:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


PICTURES: Mapping[str, Callable[[], str]] = {
    "message-thread.png": lambda: slack("anomaly") + slack("withdrawn", reply=True),
    "messages-of-runs.png": lambda: "".join(
        slack(event) for event in ("no_data", "partial", "failed", "started", "succeeded")
    ),
    "alert.png": lambda: alert("anomaly"),
}


def shoot(name: str, content: str, chromium: str) -> None:
    """A screenshot of some HTML, cut where it ends."""
    page = f"<!doctype html><meta charset='utf-8'><style>{STYLE}</style><body>{content}"
    with tempfile.TemporaryDirectory() as folder:
        source, image = Path(folder) / "page.html", Path(folder) / "page.png"
        source.write_text(page, "utf-8")
        command = [
            chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            f"--user-data-dir={folder}/profile", "--force-device-scale-factor=1.25",
            "--window-size=732,2400", f"--screenshot={image}", source.as_uri(),
        ]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True, timeout=300)
        _cut(image, IMAGES / name)


def _cut(image: Path, to: Path) -> None:
    """Without the empty space below."""
    with Image.open(image) as seen:
        flat = seen.convert("RGB")
    drawn = ImageChops.difference(flat, Image.new("RGB", flat.size, "white")).getbbox()
    assert drawn is not None
    cut = flat.crop((0, 0, flat.width, drawn[3] + 16))
    fewer = cut.quantize(128, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    fewer.save(to, optimize=True)


def main() -> int:
    """Draw all of them."""
    (IMAGES / "timeline.svg").write_text(timeline(), "utf-8")
    chromium = shutil.which("chromium")
    if chromium is None:
        print("chromium is not there: apt-get install --no-install-recommends chromium")
        return 2
    for name, content in PICTURES.items():
        shoot(name, content(), chromium)
        print(name, (IMAGES / name).stat().st_size)
    return 0


if __name__ == "__main__":
    sys.exit(main())
