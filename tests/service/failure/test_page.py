"""The page of failures names tests that are there, and every test of failures stands on it."""

import re
from pathlib import Path

from tests.consistency.test_table import ROOT, named_in

PAGE = ROOT / "docs" / "failures.md"
# Of the page itself, and rules that stand beside another one of the same failure.
ELSEWHERE = {
    "test_every_row_names_a_test_that_exists",
    "test_every_test_of_failures_stands_on_the_page",
    "test_what_may_end_in_another_way_is_tried_on",
    "test_commits_that_nobody_may_read_are_waited_for_until_the_deadline",
    "test_an_ingest_whose_store_stays_away_is_given_up_after_a_day_of_tries",
    "test_files_that_cannot_be_folded_are_not_tried_each_minute",
    "test_a_renewal_that_waited_leaves_time_for_another",
}


def named() -> set[tuple[str, str]]:
    return set(re.findall(r"`(tests/[a-z0-9_/]+\.py)::(test_[a-z0-9_]+)`", PAGE.read_text()))


def test_every_row_names_a_test_that_exists() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    for row in rows:
        assert row.startswith("| failure |") or "::test_" in row, row
    assert len(rows) > 30
    for file, test in named():
        assert test in named_in(ROOT / file), f"{file}::{test}"


def test_every_test_of_failures_stands_on_the_page() -> None:
    there = {test for _, test in named()} | ELSEWHERE
    for file in Path(__file__).parent.glob("test_*.py"):
        missing = {name for name in named_in(file) if name.startswith("test_")} - there
        assert not missing, f"{file.name}: {missing}"
