"""Links to reports: each opens exactly one, for a time."""

import pytest

from service.auth.credentials import Credentials
from service.auth.report_key import ReportKeys, report_keys
from service.clock import DAY_MS
from service.errors import UnauthenticatedError
from service.report.link import ReportLinks, report_link
from service.secret_box import SecretBox

NOW_MS = 1_795_000_000_000
RUN = "01k9rankingdaily0000000000"
KEYS = ReportKeys(SecretBox("k" * 32), 30 * DAY_MS)


def test_a_key_opens_its_report_until_it_expires() -> None:
    key = KEYS.make(RUN, NOW_MS)
    KEYS.check(RUN, key, NOW_MS)
    KEYS.check(RUN, key, NOW_MS + 30 * DAY_MS - 1)
    with pytest.raises(UnauthenticatedError, match="expired"):
        KEYS.check(RUN, key, NOW_MS + 30 * DAY_MS)


def test_a_key_opens_nothing_else() -> None:
    key = KEYS.make(RUN, NOW_MS)
    ends, _, mac = key.partition(".")
    other = ReportKeys(SecretBox("o" * 32), 30 * DAY_MS)
    wrong = (
        (RUN[:-1] + "1", key),
        (RUN, f"{int(ends) + 1}.{mac}"),
        (RUN, f"0{ends}.{mac}"),
        (RUN, f"{ends}.{mac[:-1]}"),
        (RUN, f"{ends}.{'A' * len(mac)}"),
        (RUN, f"{ends}{mac}"),
        (RUN, f"{ends}.{mac}\n"),
        (RUN, "٣.AAAAAAAAAAAAAAAAAAAAAA"),
        (RUN, ""),
        (RUN, other.make(RUN, NOW_MS)),
    )
    for run, given in wrong:
        with pytest.raises(UnauthenticatedError, match="not right"):
            KEYS.check(run, given, NOW_MS)


def test_links_lie_below_the_public_url() -> None:
    links = ReportLinks("https://lupus.example.com/", KEYS)
    address = f"https://lupus.example.com/v1/detections/{RUN}/report"
    assert links.of(RUN, NOW_MS) == f"{address}?key={KEYS.make(RUN, NOW_MS)}"
    assert ReportLinks("", KEYS).of(RUN, NOW_MS) is None
    assert report_keys(SecretBox("k" * 32), 0) is None
    assert report_link("https://lupus.example.com", None, RUN, NOW_MS) == address


def test_a_key_shows_in_no_repr() -> None:
    given = Credentials({"authorization": "Bearer lps_x"}, None, "GET", "/", "key=1.secret")
    assert "secret" not in repr(given)
    assert "lps_x" not in repr(given)
    assert "SecretBox" not in repr(KEYS)
