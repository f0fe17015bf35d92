"""The page of the rules names what is there."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "consistency.md"


def rows() -> list[list[str]]:
    lines = PAGE.read_text().splitlines()
    table = [line for line in lines if line.startswith("| ") and not line.startswith("| rule |")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table]


def named_in(file: Path) -> set[str]:
    tree = ast.parse(file.read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_rule_has_a_file_and_a_test_that_exist() -> None:
    for row in rows():
        rule, where, tests = row
        assert (ROOT / where.strip("`")).is_file(), rule
        named = re.findall(r"`(tests/[a-z0-9_/]+\.py)::(test_[a-z0-9_]+)`", tests)
        assert len(named) == 1 + tests.count("<br>"), rule
        for file, test in named:
            assert test in named_in(ROOT / file), f"{rule}: {file}::{test}"


def test_every_test_of_consistency_has_a_rule() -> None:
    page = PAGE.read_text()
    for file in sorted(Path(__file__).parent.glob("test_*.py")):
        if file.name != Path(__file__).name:
            assert f"tests/consistency/{file.name}::" in page, file.name


def test_no_rule_stands_twice() -> None:
    rules = [row[0] for row in rows()]
    assert len(rules) == len(set(rules)) > 80
