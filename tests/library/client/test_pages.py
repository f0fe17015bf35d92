"""What library/README.md and docs/library.md show runs as it stands, on the real service."""

import datetime as dt
import io
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lupus.cli.main import main
from tests.conftest import ROOT
from tests.library.client.test_send import stored
from tests.service.api.house import House

README, PAGE = ROOT / "library" / "README.md", ROOT / "docs" / "library.md"
_SAYS = re.compile(r"^print\((?P<what>[\w.]+)\) +# (?P<said>.+)$", re.MULTILINE)


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```$", page.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )


@pytest.fixture(autouse=True)
def _job(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files that the pages read, and the environment of a job."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LUPUS_URL", url)
    random = np.random.default_rng(3)
    pd.DataFrame(
        {
            "region": ["jp", "tw"] * 50,
            "age": random.integers(20, 60, 100),
            "score": random.random(100),
        }
    ).to_parquet("predictions.parquet")
    days = [dt.date(2026, 8, 1) + dt.timedelta(days=day) for day in range(60)]
    pd.DataFrame(
        [
            {"day": day, "region": region, "rows": 100.0 + number % 3 - 50 * (number == 50)}
            for number, day in enumerate(days)
            for region in ("jp", "tw")
        ]
    ).to_parquet("predictions-by-day.parquet")
    Path("metrics.csv").write_text("name,value,time,region\nauc,0.5,2026-11-09,jp\n")
    Path("rules.yaml").write_text(blocks(PAGE, "yaml")[0])


def test_the_readme_s_ten_lines_monitor_a_job(house: House) -> None:
    send, detect = blocks(README, "python")
    assert len(send.strip().splitlines()) <= 10
    names: dict[str, Any] = {}
    exec(send, names)
    found = stored(house, "job.service1-recommend")
    mean = names["table"].groupby("region")["age"].mean()
    ((at, value),) = found['age.mean{region="jp"}']
    assert (at, round(value, 9)) == ("2026-11-08T00:00:00.000", round(mean["jp"], 9))
    assert 'score.present_share{region="tw"}' in found
    exec(detect, names | {"lupus": names["lupus"]})


@pytest.mark.slow
def test_the_page_s_python_runs_and_says_what_it_says(house: House) -> None:
    names: dict[str, Any] = {}
    compared = 0
    for block in blocks(PAGE, "python"):
        exec(block, names)
        for line in _SAYS.finditer(block):
            said = re.escape(line["said"].strip()).replace(r"\.\.\.", ".+")
            found = str(eval(line["what"], names))
            assert re.fullmatch(said, found), found
            compared += 1
    assert compared == 4
    assert Path("rows.png").stat().st_size > 10_000
    assert (len(names["table"]), len(names["found"].anomalies)) == (4, 2)


@pytest.mark.slow
def test_the_page_s_commands_run(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        {"metric": "rows", "time": f"2026-10-{day:02}", "value": 100.0 + day}
        for day in range(1, 31)
    ]
    house.send("job.ranking", points)
    lines = [line for block in blocks(PAGE, "sh") for line in block.splitlines()]
    assert len(lines) == 6
    monkeypatch.setattr("sys.stdin", io.StringIO())
    for line in lines:
        command, *arguments = shlex.split(line)
        assert (command, main(arguments)) == ("lupus", 0), line
