"""A small Slack on this machine that refuses what Slack refuses.

It holds messages against the published limits, lets one message a second pass, and knows the
threads that there are. Its seconds are those of the clock that a test gives it.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "xoxb-1234567890-abcdefghij"
CHANNEL = "#ml-alerts"
_ALLOWED = re.compile(r"<(https?://[^|<>\s]+\|[^<>|]+|@[UW][A-Z0-9]+|!subteam\^S[A-Z0-9]+)>")
_ENTITY = re.compile(r"&(?!(amp|lt|gt);)")


def units(text: str) -> int:
    """Characters as JavaScript counts them."""
    return len(text.encode("utf-16-le")) // 2


def why_invalid(content: dict[str, Any]) -> str:
    """The word that Slack would answer; empty when the message is right."""
    blocks = content.get("blocks") or []
    if not content.get("text") and not blocks:
        return "no_text"
    if units(content.get("text", "")) > 40_000:
        return "msg_too_long"
    if units(json.dumps(blocks, ensure_ascii=False)) > 13_000:
        return "msg_blocks_too_long"
    if len(blocks) > 50 or not all(_block_is_right(block) for block in blocks):
        return "invalid_blocks"
    return "" if _escaped(content.get("text", "")) else "not_escaped"


def _block_is_right(block: dict[str, Any]) -> bool:
    if block["type"] == "header":
        return _text_is_right(block["text"], 150, ("plain_text",))
    if block["type"] == "section":
        return _text_is_right(block["text"], 3000, ("plain_text", "mrkdwn"))
    if block["type"] == "context":
        elements = block["elements"]
        kinds = ("plain_text", "mrkdwn")
        return 1 <= len(elements) <= 10 and all(_text_is_right(e, 3000, kinds) for e in elements)
    return bool(block["type"] == "divider")


def _text_is_right(text: dict[str, Any], most: int, kinds: tuple[str, ...]) -> bool:
    known = {"plain_text": {"type", "text", "emoji"}, "mrkdwn": {"type", "text", "verbatim"}}
    kind, said = text["type"], text["text"]
    fits = kind in kinds and text.keys() <= known[kind] and 1 <= units(said) <= most
    return bool(fits and said.strip() and _escaped(said))


def _escaped(text: str) -> bool:
    bare = _ALLOWED.sub("", text)
    return not _ENTITY.search(text) and "<" not in bare and ">" not in bare


@dataclass
class Posted:
    """One message that was taken."""

    content: dict[str, Any]
    at_ms: int
    ts: str
    raw: bytes

    @property
    def text(self) -> str:
        """Everything that people read in it."""
        parts = []
        for block in self.content["blocks"]:
            parts += [one["text"] for one in block.get("elements", ())]
            parts += [block["text"]["text"]] if "text" in block else []
        return "\n".join(parts)


@dataclass
class FakeSlack:
    """``answers`` are used up first: a status, headers and a body."""

    now_ms: Callable[[], int]
    url: str = ""
    posted: list[Posted] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str], str]] = field(default_factory=list)
    _last_ms: int | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def hook(self) -> str:
        """An incoming webhook."""
        return f"{self.url}/services/T0/B0/s3cr3t-path"

    @property
    def api(self) -> str:
        """The Web API."""
        return f"{self.url}/api"

    def answer(self, path: str, authorization: str, raw: bytes) -> tuple[int, dict[str, str], str]:
        with self._lock:
            is_bot = path == "/api/chat.postMessage"
            if self.answers:
                return self.answers.pop(0)
            now_ms = self.now_ms()
            if self._last_ms is not None and 0 <= now_ms - self._last_ms < 1000:
                return self._refuse(is_bot, 429, "ratelimited", {"retry-after": "1"})
            content = json.loads(raw)
            if not is_bot and path != "/services/T0/B0/s3cr3t-path":
                return self._refuse(False, 404, "no_service", {})
            why = why_invalid(content)
            if is_bot and not why:
                why = self._bot_error(content, authorization)
            if why:
                return self._refuse(is_bot, 400, why, {})
            self._last_ms = now_ms
            ts = f"17637{len(self.posted):05}.000100"
            self.posted.append(Posted(content, now_ms, ts, raw))
            said = {"ok": True, "channel": "C0ALERTS", "ts": ts, "message": content}
            return 200, {}, json.dumps(said) if is_bot else "ok"

    def _bot_error(self, content: dict[str, Any], authorization: str) -> str:
        if authorization != f"Bearer {TOKEN}":
            return "invalid_auth"
        if content.get("channel") != CHANNEL:
            return "channel_not_found"
        thread = content.get("thread_ts")
        known = {one.ts for one in self.posted if "thread_ts" not in one.content}
        return "thread_not_found" if thread is not None and thread not in known else ""

    def _refuse(
        self, is_bot: bool, status: int, why: str, headers: dict[str, str]
    ) -> tuple[int, dict[str, str], str]:
        self.refused.append(why)
        if is_bot:
            return 429 if status == 429 else 200, headers, json.dumps({"ok": False, "error": why})
        return status, headers, why


@contextmanager
def slack(now_ms: Callable[[], int]) -> Iterator[FakeSlack]:
    """A Slack that listens."""
    fake = FakeSlack(now_ms)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["content-length"]))
            told = fake.answer(self.path, self.headers.get("authorization", ""), raw)
            status, headers, body = told
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            content = body.encode()
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
