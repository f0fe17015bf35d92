"""Whatever things are called, Slack takes the message, and nobody's name acts as markup."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.notifications.events import EVENTS
from service.notifications.examples import example
from service.notifications.kinds.kind import Message
from service.notifications.kinds.slack import SlackBot
from service.notifications.kinds.slack_text import length, link, marked, mention, plain
from tests.service.slack_server import units, why_invalid

NASTY = st.one_of(
    st.text(max_size=300),
    st.text(alphabet="<>&*_~`|!@#:\n\r\t\\\"'{}\u202e\u2028\x00\ud800😀", max_size=400),
    st.sampled_from(
        [
            "<!channel>", "<@U123456>", "&lt;!here&gt;", "<https://evil.example|Report>",
            "*" * 1000, "&" * 1000, "<" * 700, "😀" * 700, "", " ", "\n", ":fire:", "a|b>c",
        ]
    ),
)  # fmt: skip
URLS = st.one_of(
    NASTY.map(lambda text: f"https://a.example/{text}"),
    st.just("https://a.example/?a=1&b=2"),
    st.just("https://a.example/" + "&" * 1990),
    st.just("javascript:alert(1)"),
)
ROW = st.fixed_dictionaries(
    {
        "anomaly": st.just("a"),
        "severity": st.sampled_from(["warning", "major", "critical", "<b>"]),
        "phase": st.sampled_from(["started", "worse", "new", "ended", "withdrawn"]),
        "name_text": NASTY,
        "sentence": NASTY,
        "phase_text": NASTY,
        "report": URLS,
    }
)
DATA = st.fixed_dictionaries(
    {
        "title": NASTY,
        "text": NASTY,
        "rows": st.lists(ROW, max_size=12),
        "sentences": st.lists(NASTY, max_size=12),
        "closing": st.lists(NASTY, max_size=12),
        "footer": NASTY,
        "mention": NASTY,
        "links": st.dictionaries(NASTY, URLS, max_size=12),
        "source": st.just({"name": "s"}),
    }
)


def posted(event: str, data: Any) -> dict[str, Any]:
    body = json.dumps({"type": f"lupus.{event}.v1", "data": data})
    (request,) = SlackBot(token="t", channel="#c").render(Message("msg_1", body), 0)
    content: dict[str, Any] = json.loads(request.body)
    return content


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(event=st.sampled_from([*EVENTS, "test"]), data=DATA)
def test_slack_takes_whatever_it_is_called(event: str, data: Any) -> None:
    assert why_invalid(posted(event, data)) == ""


def test_ten_of_the_longest_rows_become_fewer_and_say_so() -> None:
    row = {
        "name_text": "&" * 600,
        "sentence": "<" * 600,
        "phase_text": "x" * 300,
        "severity": "major",
        "phase": "started",
        "report": "https://a.example/" + "r" * 500,
    }
    content = posted("anomaly", {"title": "t", "text": "t", "rows": [row] * 10, "source": {}})
    assert why_invalid(content) == ""
    shown = [
        block for block in content["blocks"] if "Major" in block.get("text", {}).get("text", "")
    ]
    assert 5 < len(shown) < 10
    assert f"{10 - len(shown)} more did not fit" in json.dumps(content)


@pytest.mark.parametrize("event", EVENTS)
def test_every_real_message_is_right_and_complete(event: str) -> None:
    told = example(event)["data"]  # type: ignore[arg-type]
    content = posted(event, told)
    assert why_invalid(content) == ""
    said = json.dumps(content, ensure_ascii=False)
    for row in told.get("rows", ()):
        assert row["sentence"] in said
        assert row["name_text"] in said
    for text in (*told["sentences"], *told.get("closing", ()), told["footer"], told["title"]):
        assert text in said


def test_a_message_of_the_version_before_can_be_said_too() -> None:
    row = {
        "series": 'ndcg{region="jp"}',
        "severity": "major",
        "value_text": "0.2",
        "expected_text": "0.35 to 0.45",
        "change_percent": -50.0,
        "date": "Sun 8 Nov 2026",
    }
    owner = {"owner": {"mention": "@U0123456"}}
    content = posted("anomaly", {"title": "T", "text": "Said", "rows": [row], "source": owner})
    assert why_invalid(content) == ""
    said = json.dumps(content, ensure_ascii=False)
    assert "0.2, expected 0.35 to 0.45, -50 %, Sun 8 Nov 2026" in said
    assert "<@U0123456>" in said


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("@U0123ABC", "<@U0123ABC>"),
        ("<@U0123ABC>", "<@U0123ABC>"),
        ("W0123ABC", "<@W0123ABC>"),
        ("S0123ABC", "<!subteam^S0123ABC>"),
        ("@S0123ABC", "<!subteam^S0123ABC>"),
        ("<!subteam^S0123ABC|@rec>", "<!subteam^S0123ABC>"),
        ("@rec-oncall", "@rec-oncall"),
        ("<!channel>", "&lt;!channel&gt;"),
        ("", ""),
    ],
)
def test_people_are_called_by_their_id(text: str, shown: str) -> None:
    assert mention(text) == shown


def test_only_what_is_new_and_wrong_calls_somebody() -> None:
    for event in EVENTS:
        told = {**example(event)["data"], "mention": "@U0123ABC"}
        called = "<@U0123ABC>" in json.dumps(posted(event, told))
        assert called == (event in ("anomaly", "no_data", "partial", "failed")), event
    over = example("anomaly")["data"]
    rows = [{**row, "phase": "ended"} for row in over["rows"]]
    told = {**over, "rows": rows, "mention": "@U0123ABC"}
    assert "<@U0123ABC>" not in json.dumps(posted("anomaly", told))


@settings(max_examples=100, deadline=None)
@given(text=NASTY, most=st.integers(min_value=8, max_value=100))
def test_a_text_is_cut_between_letters(text: str, most: int) -> None:
    for shown in (plain(text, most), marked(text, most)):
        assert 0 < length(shown) <= most
        assert length(shown) == units(shown)
        unescaped = shown.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")
        assert not set("<>&\n") & set(unescaped)


def test_names_keep_their_letters() -> None:
    assert marked("click_rate of p99_latency at 12:00", 100) == "click_rate of p99_latency at 12:00"
    assert "*" not in marked("*bold*", 100)
    assert "_" not in marked("_it_ is", 100).replace("it", "")
    assert ":fire:" not in marked("a :fire: b", 100)
    assert link("https://a.example/?a=1&b=2", "R|un") == "<https://a.example/?a=1&amp;b=2|R/un>"
    assert link("javascript:x", "Run") == "Run"
    assert link("https://a.example/<x", "Run") == "Run"
