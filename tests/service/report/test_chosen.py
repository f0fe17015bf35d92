"""What `auto` took stands in the report."""

from dataclasses import replace

from service.report.page import page
from tests.service.report.parsed import Parsed
from tests.service.report.samples import facts


def test_the_page_says_what_was_taken_for_how_many_series_and_why() -> None:
    given = facts()
    assert given.run.report is not None
    chosen = {"prophet: 60 daily points or more": 40, "window: fewer than 21 daily points": 2}
    run = replace(given.run, report={**given.run.report, "chosen": chosen})
    request = replace(given.request, detector={"type": "auto"})
    text = Parsed(page(replace(given, run=run, request=request))).text
    assert "40 series by prophet: 60 daily points or more" in text
    assert "2 series by window: fewer than 21 daily points" in text
    assert "the detector that suits its step and its history" in text
    assert "by prophet" not in Parsed(page(given)).text
