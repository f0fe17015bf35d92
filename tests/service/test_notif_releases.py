"""A message names the release that an episode may come from."""

from dataclasses import replace
from typing import Any

from service.clock import DAY_MS
from service.notifications.rows import Subject, anomaly_row
from tests.service.report.samples import START_MS, Names, request, run
from workflows.releases import Release
from workflows.report import Change

AT = START_MS + 5 * DAY_MS
CHANGE = Change(
    kind="new",
    anomaly="a" * 32,
    transition=1,
    cause=None,
    series="s" * 32,
    metric="ndcg@10",
    labels={"region": "jp"},
    ts_ms=AT,
    value=0.31,
    expected=0.42,
    lower=0.4,
    upper=0.44,
    score=5.5,
    severity="critical",
    direction="down",
    reason="ok",
    episode_start_ms=AT,
)


def row(*releases: Release, **change: Any) -> dict[str, Any]:
    asked = request(Names(), releases=releases)
    subject = Subject(run(Names(), asked), asked)
    return anomaly_row(subject, replace(CHANGE, **change), "started", "new")


def test_the_newest_release_before_an_episode_is_named() -> None:
    old, new = Release("v9", AT - 9 * DAY_MS), Release("v10", AT - DAY_MS, link="https://ci/v10")
    said = row(old, new)
    assert said["release"]["name"] == "v10"
    assert said["release"]["link"] == "https://ci/v10"
    assert said["sentence"].endswith("new, 2nd day of release v10")


def test_what_began_before_a_release_does_not_come_from_it() -> None:
    later = Release("v10", AT)
    assert row(later)["release"]["day"] == 1
    assert "release" not in row(later, episode_start_ms=AT - DAY_MS)


def test_another_models_release_and_one_long_ago_are_not_named() -> None:
    assert "release" not in row(Release("tw", AT, labels={"region": ("tw",)}))
    assert "release" not in row(Release("old", AT - 14 * DAY_MS))
    assert row(Release("old", AT - 13 * DAY_MS))["release"]["day"] == 14
