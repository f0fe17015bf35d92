"""The examples of docs/explain.md are what the code says."""

import doctest
import re

from tests.conftest import ROOT

BLOCK = re.compile(r"```pycon\n(.*?)```", re.DOTALL)


def test_the_examples_of_the_page_are_what_the_code_says() -> None:
    blocks = BLOCK.findall((ROOT / "docs" / "explain.md").read_text("utf-8"))
    assert len(blocks) >= 5
    test = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, "explain.md", None, 0)
    outcome = doctest.DocTestRunner().run(test)
    assert outcome.attempted > 10
    assert outcome.failed == 0
