"""`lupus-server try` with a detector of changes: a sentence, and facts for programs."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from service.tryout.run import TryOptions, try_file


@pytest.fixture
def orders(tmp_path: Path) -> TryOptions:
    days = np.arange("2026-07-01", "2026-10-09", dtype="datetime64[D]")
    values = 1000 + np.random.default_rng(3).normal(0, 10, len(days)) - 70 * (np.arange(100) >= 80)
    lines = [f"{day},{value:.1f}" for day, value in zip(days, values, strict=True)]
    path = tmp_path / "orders.csv"
    path.write_text("\n".join(["date,orders", *lines]))
    return TryOptions(str(path), detector="trend_change")


def run(options: TryOptions, as_json: bool = False) -> str:
    out = io.StringIO()
    try_file(options, Console(file=out, width=140, no_color=True), as_json)
    return out.getvalue()


def test_a_terminal_shows_a_sentence(orders: TryOptions) -> None:
    said = run(orders)
    assert "orders: level fell by " in said
    assert " on Sat 19 Sep 2026" in said


def test_json_has_the_facts(orders: TryOptions) -> None:
    answer = json.loads(run(orders, as_json=True))
    (change,) = answer["changes"]
    assert (change["series"], change["kind"]) == ("orders", "level")
    assert change["time"] == answer["anomalies"][0]["time"] == "2026-09-19T00:00:00.000Z"
    assert -90 < change["size"] < -50
    assert change["earliest"] <= change["time"] <= change["latest"]
