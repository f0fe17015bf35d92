"""The report over HTTP: what it shows of real runs, and who may read it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog

from service.app import open_app
from service.auth.report_key import report_keys
from service.cli import main
from service.cli.client import Client
from service.clock import DAY_MS
from service.report.link import ReportLinks
from service.settings import Settings
from tests.service.api.house import FIRST_MS, House, daily, detection, rfc3339
from tests.service.report.parsed import Parsed

SOURCE = "rep.ranking"
VALUES = [0.4 + 0.004 * (day % 7) for day in range(60)]
DAYS = {"start": "2026-07-17", "end": "2026-07-31"}


@pytest.fixture(scope="module")
def run(working: House) -> dict[str, Any]:
    """A detection over five series: a drop, a spike, a calm one, a young one, one that ended."""
    working.source(
        SOURCE,
        timezone="Asia/Tokyo",
        display_name="Ranking",
        owner={"team": "rec"},
        links={"runbook": "https://wiki.example.com/ranking"},
        metrics={"ndcg@10": {"display_name": "nDCG@10", "format": "0.000"}},
    )
    drop, spike, young = list(VALUES), list(VALUES), VALUES[:5]
    drop[-3:], spike[-5] = [0.2, 0.21, 0.22], 0.7
    points = daily(drop, labels={"region": "jp"}) + daily(spike, labels={"region": "tw"})
    points += daily(VALUES, labels={"region": "th"}) + daily(VALUES[:40], labels={"region": "us"})
    late = [
        {**point, "time": rfc3339(FIRST_MS + (54 + n) * DAY_MS)}
        for n, point in enumerate(daily(young, labels={"region": "<b>kr</b>"}))
    ]
    working.send(SOURCE, points + late)
    return working.detect(
        detection(SOURCE, rule="daily <&>", range=DAYS, detector={"type": "window"})
    )


def read(house: House, run: dict[str, Any], **query: Any) -> tuple[str, Parsed]:
    answer = house.http.get(f"/v1/detections/{run['id']}/report", params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return answer.text, Parsed(answer.text)


def test_it_shows_charts_tables_and_what_was_not_judged(
    working: House, run: dict[str, Any]
) -> None:
    text, page = read(working, run)
    assert run["state"] == "partial"
    for words in (
        "Critical: nDCG@10 of Ranking is unusual",
        "Rule daily <&>, Fri 17 Jul to Thu 30 Jul 2026 (Asia/Tokyo)",
        "3 unusual points in 2 of 5 series.",
        "The worst is nDCG@10 (region tw), Sun 26 Jul 2026 09:00: 0.700",
        "Not judged:",
        "Sent no data: 1 series",
        'ndcg@10{region="us"}',
        "Too short a history: 1 series",
        'ndcg@10{region="<b>kr</b>"}',
        "Who was told Nobody: the request names no channel.",
    ):
        assert words in page.text, words
    assert len(page.values("svg", "aria-label")) == 2
    assert "https://wiki.example.com/ranking" in page.addresses
    assert page.text.index("region tw") < page.text.index("region jp")
    assert 'class="band"' in text


def test_verdicts_comments_and_withdrawals_appear_afterwards(working: House) -> None:
    name = working.source("rep.after")
    values = [*VALUES[:-1], 0.1]
    values[-2] = 0.1
    working.send(name, daily(values))
    body = detection(name, range=DAYS, detector={"type": "threshold", "lower": 0.2})
    first = working.detect(body)
    found = working.call("GET", "/v1/anomalies", params={"run": first["id"]})
    newest, older = found["items"]
    said = {"verdict": "expected", "comment": "a <release>"}
    working.call("PATCH", f"/v1/anomalies/{older['id']}", json=said)
    working.send(name, [{**daily(values)[-1], "value": 0.41}])
    again = working.call("POST", f"/v1/detections/{first['id']}/rerun", 202)
    working.call("GET", f"/v1/detections/{again['id']}", params={"wait": "60s"})
    _, parsed = read(working, first)
    assert "Looked at and settled" in parsed.text
    assert "expected, people say" in parsed.text
    assert "a <release>" in parsed.text
    assert "1 point was unusual and is normal by now, because the data changed." in parsed.text
    assert "A newer run of this rule was asked for today." in parsed.text
    assert {f"a-{newest['id']}", f"a-{older['id']}"} <= set(parsed.ids)


def test_a_run_that_stores_nothing_has_a_report_of_its_results(working: House) -> None:
    name = working.source("rep.unstored")
    working.send(name, daily([*VALUES[:-1], 0.05]))
    run = working.detect(
        {**detection(name, range=DAYS, store=False, detector={"type": "window"}), "rule": None}
    )
    text, parsed = read(working, run)
    assert "is unusually low" in parsed.text
    assert 'class="band"' in text
    assert "Nobody: it stored nothing." in parsed.text


def test_after_a_week_it_still_shows_what_was_found(working: House) -> None:
    name = working.source("rep.old")
    working.send(name, daily([*VALUES[:-1], 0.05]) + daily(VALUES[:40], labels={"region": "us"}))
    run = working.detect(detection(name, range=DAYS))
    before = read(working, run)[1].text
    working.resources.stores.objects.delete_prefix(f"runs/{run['id']}/")
    text, parsed = read(working, run)
    assert "Critical" in parsed.text or "Major" in parsed.text
    assert "1 series sent no data." in parsed.text
    assert 'class="band"' in text
    assert "Sent no data: 1 series" in before
    assert "Sent no data: 1 series" not in parsed.text
    assert "was kept for a week and is gone" in parsed.text


def test_a_waiting_run_looks_again_and_a_cancelled_one_does_not(idle: House) -> None:
    name = idle.source("rep.waiting")
    run = idle.call("POST", "/v1/detections", 202, json=detection(name))
    text, parsed = read(idle, run)
    assert "Waiting to be checked" in parsed.text
    assert 'http-equiv="refresh"' in text
    idle.call("POST", f"/v1/detections/{run['id']}/cancel", 202)
    text, parsed = read(idle, run)
    assert "Cancelled: ndcg@10" in parsed.text
    assert 'http-equiv="refresh"' not in text


def test_the_browser_is_told_to_fetch_and_run_nothing(working: House, run: dict[str, Any]) -> None:
    headers = working.http.get(f"/v1/detections/{run['id']}/report").headers
    assert headers["content-security-policy"].startswith("default-src 'none'; style-src")
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"


@pytest.fixture
def link(working: House, run: dict[str, Any]) -> str:
    """The path and query of a link in a message."""
    settings, now_ms = working.resources.settings, working.resources.clock.now_ms()
    assert settings.report_link_days == 30
    keys = report_keys(working.resources.box, settings.report_link_days)
    address = ReportLinks("https://lupus.example", keys).of(run["id"], now_ms)
    assert address is not None
    return address.removeprefix("https://lupus.example")


class TestLinks:
    def test_a_stranger_with_the_link_reads_this_report(self, working: House, link: str) -> None:
        stranger = working.client(client=("203.0.113.9", 4000), base_url="https://lupus.example")
        answer = stranger.get(link)
        assert answer.status_code == 200
        assert "/v1/" not in answer.text, "what the key does not open is not shown"

    def test_it_opens_nothing_else(self, working: House, link: str, run: dict[str, Any]) -> None:
        stranger = working.client(client=("203.0.113.9", 4000), base_url="https://lupus.example")
        path, _, query = link.partition("?")
        other = working.detect(detection(SOURCE, rule="other", range=DAYS))
        places = (
            ("GET", path.removesuffix("/report")),
            ("GET", f"{path}/"),
            ("GET", path.replace("/report", "/series")),
            ("GET", path.replace(run["id"], other["id"])),
            ("GET", path.replace(run["id"], "none")),
            ("GET", path.replace("/report", "/%2e%2e/report")),
            ("POST", path),
            ("HEAD", path),
            ("GET", f"/v1/sources/{SOURCE}"),
            ("GET", "/v1/anomalies"),
            ("GET", "/v1/me"),
            ("GET", "/metrics"),
        )
        for method, place in places:
            answer = stranger.request(method, f"{place}?{query}")
            assert answer.status_code == 401, f"{method} {place}"
        assert stranger.get(path).status_code == 401
        assert stranger.get(f"{path}?key=1.AAAAAAAAAAAAAAAAAAAAAA").status_code == 401

    def test_a_token_decides_before_the_link_does(self, working: House, link: str) -> None:
        hidden = working.client(working.token(["rep.none"], ["read"]))
        assert hidden.get(link).status_code == 404
        assert working.client("lps_wrong").get(link).status_code == 401

    def test_who_follows_a_link_that_does_not_hold_reads_why(
        self, working: House, run: dict[str, Any], link: str
    ) -> None:
        stranger = working.client(client=("203.0.113.9", 4000), base_url="https://lupus.example")
        keys = report_keys(working.resources.box, 1)
        assert keys is not None
        old = keys.make(run["id"], working.resources.clock.now_ms() - 2 * DAY_MS)
        browser = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
        for place, why in (
            (link[:-2], "cut off"),
            (f"{link.partition('?')[0]}?key={old}", "expir"),
        ):
            answer = stranger.get(place, headers=browser)
            assert answer.status_code == 401
            assert answer.headers["content-type"].startswith("text/html")
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert why in Parsed(answer.text).text
            assert run["source"] not in answer.text
            assert stranger.get(place).json()["status"] == 401
        api = stranger.get(f"/v1/detections/{run['id']}", headers=browser)
        assert api.headers["content-type"] == "application/problem+json"

    def test_its_key_is_in_no_log(self, working: House, link: str) -> None:
        stranger = working.client(client=("203.0.113.9", 4000), base_url="https://lupus.example")
        key = link.rpartition("=")[2]
        with structlog.testing.capture_logs() as logs:
            assert stranger.get(link).status_code == 200
            assert stranger.get(link[:-2]).status_code == 401
        assert logs
        assert key[:-2] not in str(logs)
        assert "/v1/detections/{detection}/report" in str(logs)


def test_links_can_be_turned_off(settings: Settings) -> None:
    off = settings.model_copy(update={"report_link_days": 0})
    with open_app(off) as app:
        house = House(app)
        name = house.source("rep.off")
        run = house.call("POST", "/v1/detections", 202, json=detection(name))
        keys = report_keys(house.resources.box, 30)
        assert keys is not None
        key = keys.make(run["id"], house.resources.clock.now_ms())
        stranger = house.client(client=("203.0.113.9", 4000))
        path = f"/v1/detections/{run['id']}/report"
        assert stranger.get(path, params={"key": key}).status_code == 401
        assert house.http.get(path).status_code == 200


def test_a_page_that_does_not_exist_is_the_last_one(working: House, run: dict[str, Any]) -> None:
    assert "3 unusual points" in read(working, run, page=99)[1].text
    assert (
        working.http.get(f"/v1/detections/{run['id']}/report", params={"page": 0}).status_code
        == 422
    )


class TestCommandLine:
    @pytest.fixture(autouse=True)
    def _client(self, idle: House, monkeypatch: pytest.MonkeyPatch) -> None:
        """Commands talk to the service of this process."""

        @contextmanager
        def client(_url: str | None) -> Iterator[Client]:
            yield Client(idle.http)

        monkeypatch.setattr("service.cli.report.open_client", client)

    @pytest.fixture
    def waiting(self, idle: House) -> str:
        """The id of a run."""
        body = detection(idle.source("rep.cli"))
        return str(idle.call("POST", "/v1/detections", 202, json=body)["id"])

    def test_a_report_can_be_saved(
        self, waiting: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = tmp_path / "report.html"
        assert main(["report", waiting, "--out", str(file), "--json"]) == 0
        assert "Waiting to be checked: ndcg@10" in Parsed(file.read_text("utf-8")).text
        said = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert said == {"run": waiting, "out": str(file), "bytes": file.stat().st_size}
        assert [one.name for one in tmp_path.iterdir()] == ["report.html"]
        assert main(["report", waiting]) == 0
        assert "Waiting to be checked: ndcg@10" in capsys.readouterr().out

    def test_what_cannot_be_read_or_written_is_said(
        self, waiting: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["report", "none", "--out", str(tmp_path / "a.html")]) == 64
        assert "detection none does not exist" in capsys.readouterr().err
        assert main(["report", waiting, "--out", str(tmp_path / "no" / "a.html")]) == 2
        assert "cannot be written: No such file or directory" in capsys.readouterr().err
        assert not list(tmp_path.iterdir())
