"""A message as people will get them, with invented content that says so: to try a channel."""

import json

from service.notifications.examples import example
from service.notifications.message import rfc3339

_NOTICE = "This is a test of the channel {channel}: nothing is wrong, and all below is invented."
_LINKS = ("link", "report")  # to a service that does not exist


def example_body(message_id: str, channel: str, public_url: str, now_ms: int) -> str:
    """The envelope of ``lupus.test.v1``; its data are those of an anomaly, and call nobody."""
    data = dict(example("anomaly")["data"])
    notice = _NOTICE.format(channel=channel)
    rows = [
        {name: value for name, value in row.items() if name not in _LINKS} for row in data["rows"]
    ]
    data |= {
        "title": f"Test: {data['title']}",
        "text": f"Test: {data['title']}. {notice}",
        "sentences": [notice, *data["sentences"]],
        "rows": rows,
        "mention": "",
        "links": {"service": public_url} if public_url else {},
    }
    data["source"] = {**data["source"], "owner": {}}
    content = {
        "type": "lupus.test.v1",
        "id": message_id,
        "timestamp": rfc3339(now_ms),
        "counter": 0,
        "data": data,
    }
    return json.dumps(content, ensure_ascii=False)
