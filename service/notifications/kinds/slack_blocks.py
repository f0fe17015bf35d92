"""A message as blocks of Slack, within its limits whatever things are called.

Limits of Block Kit and of messages: 50 blocks, 3,000 characters in a section, 150 in a header, and
some 13,000 in all, which is documented nowhere and answered by ``msg_blocks_too_long``.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from service.notifications.kinds.slack_text import joined, length, link, marked, mention, plain

Block = dict[str, Any]

MOST_BLOCKS = 50
MOST_IN_TEXT = 3000
MOST_IN_HEADER = 150
MOST_IN_ALL = 12_000  # of the blocks as JSON, below what Slack refuses
_MOST_ROWS = 10
_LINE = 600
_FALLBACK = 1000
# These call nobody: nothing is to be done.
_QUIET = ("withdrawn", "started", "succeeded", "job_started", "job_succeeded", "test")
_NAMES = {"report": "Report", "run": "Run", "anomalies": "Anomalies", "runbook": "Runbook"}
_MARKS = {"critical": "🔴", "major": "🟠", "warning": "🟡"}
_OVER = "✅"


def fallback(data: Mapping[str, Any]) -> str:
    """What notifications and screen readers say."""
    return plain(str(data.get("text") or data.get("title") or ""), _FALLBACK)


def blocks_of(event: str, data: Mapping[str, Any]) -> list[Block]:
    """Header, sentences, rows, what is left to say, links; as many rows as fit."""
    for most_rows in range(_MOST_ROWS, -1, -1):
        blocks = list(_blocks(event, data, most_rows))
        if len(blocks) <= MOST_BLOCKS and _size(blocks) <= MOST_IN_ALL:
            return blocks
    return [_header(data)]


def _blocks(event: str, data: Mapping[str, Any], most_rows: int) -> Iterator[Block]:
    yield _header(data)
    if lead := _lead(event, data):
        yield _section(lead)
    rows = list(data.get("rows") or ())
    for row in rows[:most_rows]:
        yield _section(_row(row))
    closing = [str(line) for line in data.get("closing") or ()]
    left_out = len(rows[:_MOST_ROWS]) - min(most_rows, len(rows))
    if left_out > 0:
        closing.insert(0, f"{left_out} more did not fit into this message.")
    if closing:
        yield _section(joined((marked(line, _LINE) for line in closing), "\n", MOST_IN_TEXT))
    yield from _ending(data)


def _header(data: Mapping[str, Any]) -> Block:
    title = plain(str(data.get("title") or ""), MOST_IN_HEADER)
    return {"type": "header", "text": {"type": "plain_text", "text": title, "emoji": False}}


def _lead(event: str, data: Mapping[str, Any]) -> str:
    lines = data.get("sentences")
    if lines is None:  # a message of the version before
        lines = [data.get("text") or "", data.get("error") or ""]
    owner = _owner(data)
    called = [mention(owner)] if owner and calls(event, data) else []
    said = [marked(str(line), _LINE) for line in lines if line]
    return joined((*called, *said), "\n", MOST_IN_TEXT)


def _owner(data: Mapping[str, Any]) -> str:
    owner = (data.get("source") or {}).get("owner") or {}
    return str(data.get("mention") or owner.get("mention") or "")


def calls(event: str, data: Mapping[str, Any]) -> bool:
    """Whether somebody is to look: something is wrong and was not told before."""
    if event == "anomaly":
        return any(row.get("phase") != "ended" for row in data.get("rows") or ())
    return event not in _QUIET


def _row(row: Mapping[str, Any]) -> str:
    name = marked(str(row.get("name_text") or row.get("series") or ""), 300)
    ended = row.get("phase") in ("ended", "withdrawn")
    severity = str(row.get("severity") or "")
    mark = _OVER if ended else _MARKS.get(severity, "")
    word = "" if ended or not severity else f"{marked(severity.capitalize(), 20)}: "
    said = marked(str(row.get("sentence") or _old_sentence(row)), 500)
    phase = str(row.get("phase_text") or "")
    if phase and phase not in str(row.get("sentence") or ""):
        said += f", {marked(phase, 150)}"
    shown = f"{mark} {word}*{name}*\n{said}".strip()
    url = str(row.get("report") or "")
    details = link(url, "Details") if url else ""
    return f"{shown} {details}" if "|" in details and length(details) < _LINE else shown


def _old_sentence(row: Mapping[str, Any]) -> str:
    """Of a message of the version before."""
    change = row.get("change_percent")
    expected = row.get("expected_text")
    parts = [str(row.get("value_text") or "no data")]
    parts += [f"expected {expected}"] if expected else []
    parts += [f"{change:+.0f} %"] if isinstance(change, int | float) else []
    parts += [str(row.get("date") or "")]
    return ", ".join(parts)


def _ending(data: Mapping[str, Any]) -> Iterator[Block]:
    links = {str(name): str(url) for name, url in dict(data.get("links") or {}).items()}
    names = [name for name in _NAMES if name in links]
    names += [name for name in links if name not in _NAMES]
    shown = (link(links[name], _NAMES.get(name, name)) for name in names)
    if links:
        yield _section(joined(shown, " · ", MOST_IN_TEXT))
    footer = str(data.get("footer") or "")
    if footer:
        yield {"type": "context", "elements": [_markdown(marked(footer, _LINE))]}


def _section(text: str) -> Block:
    return {"type": "section", "text": _markdown(text)}


def _markdown(text: str) -> Block:
    # Verbatim: names of channels and addresses in names of metrics do not become links.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _size(blocks: Sequence[Block]) -> int:
    return len(json.dumps(blocks, ensure_ascii=False).encode("utf-16-le", "surrogatepass")) // 2
