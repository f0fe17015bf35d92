"""The command against the real service: what it sends, asks, prints, and how it ends."""

import datetime as dt
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from lupus.cli.main import main
from tests.conftest import ROOT
from tests.library.client.test_send import stored
from tests.service.api.house import House

_LOG_OF_SERVICE = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \[\w+ *\].*\n", re.MULTILINE)
FIRST = dt.date(2026, 9, 1)
AT = "2026-11-08T00:00:00.000"


class Said(NamedTuple):
    code: int
    out: str
    err: str


Say = Callable[..., Said]


@pytest.fixture
def say(url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Run the command in this process, with a text on its standard input."""

    def run(*arguments: str, text: str = "", is_terminal: bool = False) -> Said:
        stdin = io.StringIO(text)
        stdin.isatty = lambda: is_terminal  # type: ignore[method-assign]
        monkeypatch.setattr("sys.stdin", stdin)
        monkeypatch.setenv("LUPUS_URL", url)
        capsys.readouterr()
        try:
            code = main(arguments)
        except SystemExit as ended:
            code = int(ended.code or 0)
        out, err = capsys.readouterr()
        return Said(code, _LOG_OF_SERVICE.sub("", out), err)

    return run


@pytest.fixture(scope="session")
def judged(house: House) -> str:
    """A source of sixty days with a drop near their end."""
    points = [
        {"metric": "rows", "time": f"{FIRST + dt.timedelta(days=day)}", "value": value}
        for day in range(60)
        for value in [50.0 if day == 55 else 100.0 + day % 3]
    ]
    house.send("job.cli", points)
    return "job.cli"


def test_numbers_of_the_command_line_are_sent(house: House, say: Say) -> None:
    said = say(
        "send", "job.args", "ndcg@10=0.41", "--at", "2026-11-08", "--label", "r=jp", "a=b=1e3"
    )
    assert said == (0, "job.args: 2 points succeeded\n", "")
    assert stored(house, "job.args") == {
        'a=b{r="jp"}': [(AT, 1000.0)],
        'ndcg@10{r="jp"}': [(AT, 0.41)],
    }


def test_csv_and_json_lines_are_sent_from_files_and_pipes(
    house: House, say: Say, tmp_path: Path
) -> None:
    file = tmp_path / "metrics.csv"
    file.write_text(
        "name,value,time,region\nrows,3,2026-11-08,jp\nrows,4,2026-11-09,jp\nauc,,2026-11-09,\n"
    )
    assert say("send", "job.lines", "--file", str(file), "--nan", "skip").out == (
        "job.lines: 2 points succeeded, 1 without a value left out\n"
    )
    lines = (
        '{"name": "auc", "value": 0.5, "labels": {"region": "jp"}}\n\n'
        '{"metric": "f1", "value": 1}\n'
    )
    assert say("send", "job.lines", "--at", "2026-11-08", text=lines).code == 0
    log = '12:00 training\n{"level": "info", "name": "loss", "value": 0.1}\n{"level": "info"}\n'
    assert say("send", "job.lines", "--at", "2026-11-08", "--log", text=log).code == 0
    assert stored(house, "job.lines") == {
        'auc{region="jp"}': [(AT, 0.5)],
        "f1": [(AT, 1.0)],
        "loss": [(AT, 0.1)],
        'rows{region="jp"}': [(AT, 3.0), ("2026-11-09T00:00:00.000", 4.0)],
    }


@pytest.mark.parametrize(
    ("arguments", "text", "why"),
    [
        (["auc=x"], "", "'x' is no number"),
        (["auc"], "", "write NAME=VALUE"),
        (["auc=1"], "", "at is missing"),
        (["auc=nan", "--at", "2026-11-08"], "", "no value: auc"),
        (["--label", "r", "auc=1"], "", "--label 'r': write name=value"),
        (["--file", "/none"], "", "/none: No such file"),
        ([], "name,value\na,1\nb\n", "standard input line 3 has another number of cells"),
        ([], "name\na\n", "the columns metric (or name) and value are needed, not name"),
        ([], "name,value\na,x\n", "line 2: value 'x' is no number"),
        ([], '{"name": "a", "value": 1, "x": 2}', "line 1: unknown field 'x'"),
        ([], '{"name": "a"}', "line 1: allowed is"),
        ([], '{"name": "a", "value": 1}\n{', "line 2 is not JSON"),
        (["--nan", "no"], "", "invalid choice"),
    ],
)
def test_what_cannot_be_sent_is_told(say: Say, arguments: list[str], text: str, why: str) -> None:
    said = say("send", "job.wrong", *arguments, text=text)
    assert (said.code, said.out) == (64, "")
    assert why in said.err


@pytest.mark.slow
def test_exit_codes_tell_what_came_of_a_detection(say: Say, judged: str) -> None:
    ask = ["detect", "--source", judged, "--metric", "rows", "--detector", "window", "--wait"]
    wide = ["--start", "2026-10-10", "--end", "2026-10-31"]
    said = say(*ask, *wide, "--rule", "wide", "--fail-on", "major")
    assert said.code == 1
    assert said.out.splitlines()[1].startswith("wide  succeeded  21")
    calm = say(*ask, "--start", "2026-10-10", "--end", "2026-10-20", "--json")
    assert (calm.code, json.loads(calm.out)[0]["anomalous"]) == (0, 0)
    partial = say(*ask, "--start", "2026-11-10", "--end", "2026-11-12")
    assert partial.code == 2
    assert say(*ask, "--last", "soon").code == 64
    dry = say(*ask, *wide, "--dry-run")
    assert dry.out.split()[:6] == ["rule", "series", "points", "core_seconds", "start", "end"]
    listed = say("runs", "--source", judged, "--rule", "wide", "--format", "csv")
    assert listed.out.splitlines()[1].split(",")[1:4] == [judged, "wide", "succeeded"]
    rows = json.loads(say("anomalies", "--source", judged, "--format", "json").out)
    assert [(row["rule"], row["value"]) for row in rows] == [("wide", 50.0)]
    assert say("anomalies", "--source", judged).out.splitlines()[1].startswith("rows  2026-10-26")


RULES = """\
defaults:
  source: job.cli
  detector: {type: window}
  range: {start: 2026-10-10, end: 2026-10-31}
rules:
  - rule: drop
    metric: rows
  - rule: bounds
    metric: [rows]
    detector:
      type: threshold
      lower: 10
"""


@pytest.fixture
def rules(tmp_path: Path) -> Callable[[str], str]:
    def write(text: str) -> str:
        file = tmp_path / "rules.yaml"
        file.write_text(text)
        return str(file)

    return write


@pytest.mark.slow
def test_rules_of_a_file_are_shown_and_run(
    say: Say, judged: str, rules: Callable[[str], str]
) -> None:
    file = rules(RULES)
    dry = say("detect", file, "--dry-run")
    assert dry.code == 0
    assert [line.split()[:2] for line in dry.out.splitlines()[1:]] == [
        ["drop", "1"],
        ["bounds", "1"],
    ]
    refused = say("detect", file)
    assert (refused.code, "--yes runs them" in refused.err) == (64, True)
    assert say("detect", file, text="n\n", is_terminal=True).out == dry.out
    said = say("detect", file, "--wait", "--yes", "--json")
    found = {run["rule"]: (run["state"], run["anomalous"]) for run in json.loads(said.out)}
    assert (said.code, found) == (1, {"drop": ("succeeded", 1), "bounds": ("succeeded", 0)})
    only = say("detect", file, "--only", "bounds", "--wait", text="y\n", is_terminal=True)
    assert (only.code, "drop" in only.out, "run it?" in only.err) == (0, False, True)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("metric: rows", "metrik: rows"), ":7: unknown field 'metrik'"),
        (("lower: 10", "lowr: 10"), ":12: lowr"),
        (("rule: bounds", "rule: drop"), ":8: rule drop is there twice: line 6"),
        (("    metric: rows\n", ""), ":6: the rule has no 'metric'"),
        (("{type: window}", "{type: window"), ":4: not YAML"),
        (("start: 2026-10-10,", "start: 2026-02-30,"), ":4: 2026-02-30"),
        (("start: 2026-10-10,", "strat: 2026-10-10,"), ":4: unknown field 'strat'"),
        (
            ("  source: job.cli\n", "  source: job.cli\n  source: x\n"),
            ":3: 'source' is there twice",
        ),
        (("rules:", "rulez:"), "the file has a list `rules`"),
    ],
)
def test_a_fault_in_a_file_is_told_with_its_line(
    say: Say, judged: str, rules: Callable[[str], str], change: tuple[str, str], why: str
) -> None:
    said = say("detect", rules(RULES.replace(*change)), "--yes")
    assert (said.code, said.out) == (64, "")
    assert why in said.err


def test_a_service_that_is_not_there_is_told(say: Say) -> None:
    said = say("runs", "--url", "http://127.0.0.1:9", "--retry-for", "0")
    assert (said.code, "does not answer" in said.err) == (69, True)


@pytest.mark.slow
def test_the_command_is_there(url: str) -> None:
    environment = {**os.environ, "LUPUS_URL": url, "PYTHONPATH": str(ROOT / "library")}
    said = subprocess.run(
        [sys.executable, "-m", "lupus.cli", "send", "job.pipe", "--at", "2026-11-08"],
        input="name,value\nrows,3\n",
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert said.stdout == "job.pipe: 1 point succeeded\n"
