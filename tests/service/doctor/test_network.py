"""The way out as the doctor sees it: the proxy by what it lets through, networks by their width."""

from pathlib import Path

import pytest

from storage.check import Finding
from tests.service.doctor.patient import part_of, patient
from tests.service.egress.authority import Authority
from tests.service.egress.connect_proxy import proxying
from tests.service.egress.raw_server import saying, speaking

DONE = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


def findings(folder: Path, **given: object) -> dict[str, Finding]:
    return part_of(patient(folder, **given), "network")


def test_the_proxy_is_asked_for_the_names_on_the_list(tmp_path: Path) -> None:
    company = Authority(tmp_path / "ca")
    with (
        speaking(saying(DONE), company.server("hooks.example")) as receiver,
        proxying(
            {"hooks.example": receiver.port, "other.example": receiver.port}, "me:pw"
        ) as proxy,
    ):
        found = findings(
            tmp_path,
            ca_bundle=company.bundle,
            egress_proxy=proxy.url,
            egress_proxy_user="me",
            egress_proxy_password="pw",
            egress_allow_hosts="hooks.example,other.example,away.example,*.below.example",
        )
    assert found["LUPUS_EGRESS_PROXY: hooks.example"].state == "ok"
    assert "answers 404 through the proxy" in found["LUPUS_EGRESS_PROXY: hooks.example"].detail
    assert "not valid for" in found["LUPUS_EGRESS_PROXY: other.example"].detail
    away = found["LUPUS_EGRESS_PROXY: away.example"]
    assert (away.state, "answers 403" in away.detail) == ("failed", True)
    assert len(proxy.lines) == 3


def test_a_wrong_password_at_the_proxy_is_named(tmp_path: Path) -> None:
    with proxying({}, "me:right-s3cret") as proxy:
        found = findings(
            tmp_path,
            egress_proxy=proxy.url,
            egress_proxy_user="me",
            egress_proxy_password="wrong-s3cret",
            egress_allow_hosts="hooks.example",
        )["LUPUS_EGRESS_PROXY: hooks.example"]
    assert found.state == "failed"
    assert "check LUPUS_EGRESS_PROXY_USER" in found.detail
    assert "s3cret" not in found.detail + found.advice


def test_a_proxy_for_stars_alone_is_reached_and_no_more(tmp_path: Path) -> None:
    stars = {"egress_allow_hosts": "*.below.example"}
    with proxying({}) as proxy:
        found = findings(tmp_path, egress_proxy=proxy.url, **stars)["LUPUS_EGRESS_PROXY"]
    assert found.state == "ok"
    found = findings(tmp_path, egress_proxy=proxy.url, **stars)["LUPUS_EGRESS_PROXY"]
    assert (found.state, found.advice[:17]) == ("failed", "check its address")


@pytest.mark.parametrize(
    ("networks", "state", "word"),
    [
        ("10.20.0.0/16,fd00::/8", "ok", "2 networks"),
        ("0.0.0.0/0", "warning", "opens every internal network"),
        ("10.0.0.0/8,::/0", "warning", "::/0"),
        ("169.254.169.254/32", "warning", "credentials"),
    ],
)
def test_networks_that_open_too_much_are_named(
    tmp_path: Path, networks: str, state: str, word: str
) -> None:
    found = findings(tmp_path, egress_allow=networks)["LUPUS_EGRESS_ALLOW"]
    assert (found.state, word in found.detail) == (state, True)
