"""A message as people will get them, with invented content that says so: to try a channel."""

import json
from typing import Any

from service.clock import DAY_MS
from service.notifications.message import rfc3339
from service.notifications.wording import date_text

_SERIES = "0123456789abcdef0123456789abcdef"
_NOTICE = "This is a test of the channel {channel}: nothing is wrong, and the numbers are invented."


def example_body(message_id: str, channel: str, public_url: str, now_ms: int) -> str:
    """The envelope of ``lupus.test.v1``; its data are those of an anomaly."""
    content = {
        "type": "lupus.test.v1",
        "id": message_id,
        "timestamp": rfc3339(now_ms),
        "counter": 0,
        "data": _data(channel, public_url, now_ms),
    }
    return json.dumps(content, ensure_ascii=False)


def _data(channel: str, public_url: str, now_ms: int) -> dict[str, Any]:
    day_ms = now_ms // DAY_MS * DAY_MS - DAY_MS
    date = date_text(day_ms, "UTC", DAY_MS)
    notice = _NOTICE.format(channel=channel)
    return {
        "severity": "major",
        "title": "Test: nDCG@10 of Example is unusually low",
        "text": f"Test: nDCG@10 of Example is unusually low. {notice}",
        "sentences": [notice, f"It would say: 1 of 2 series is unusual on {date}."],
        "series": {"told": 1, "total": 2},
        "rows": [_row(day_ms, date)],
        "more_rows": 0,
        "closing": ["What could not be judged, and when it will be, would stand here."],
        "footer": "Rule example, window",
        "mention": "",
        "source": {
            "name": "example",
            "display_name": "Example",
            "timezone": "UTC",
            "owner": {},
        },
        "rule": "example",
        "detector": "window",
        "run": "example",
        "generation": 0,
        "metrics": ["ndcg@10"],
        "range": {"start": rfc3339(day_ms - 6 * DAY_MS), "end": rfc3339(day_ms + DAY_MS)},
        "links": {"service": public_url} if public_url else {},
    }


def _row(day_ms: int, date: str) -> dict[str, Any]:
    sentence = f"0.2, expected 0.35 to 0.45 (-50 %), {date}, new"
    return {
        "phase": "started",
        "points": 1,
        "anomaly": _SERIES,
        "series_id": _SERIES,
        "metric": "ndcg@10",
        "display_name": "nDCG@10",
        "labels": {"region": "jp"},
        "series": 'ndcg@10{region="jp"}',
        "name_text": "nDCG@10: region jp",
        "labels_text": "region jp",
        "time": rfc3339(day_ms),
        "date": date,
        "severity": "major",
        "direction": "down",
        "reason": "ok",
        "value": 0.2,
        "expected": 0.4,
        "lower": 0.35,
        "upper": 0.45,
        "score": 4.0,
        "change_percent": -50.0,
        "change_text": "-50 %",
        "unit": "",
        "value_text": "0.2",
        "expected_text": "0.35 to 0.45",
        "phase_text": "new",
        "sentence": sentence,
        "day": 1,
        "since": rfc3339(day_ms),
    }
