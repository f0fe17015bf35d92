"""What is measured of the detectors: every goal, with both sides held equal, and the page of it."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.detectors import checks, environments
from benchmarks.detectors.cost import Outcome, Sample, Spread
from benchmarks.detectors.environments import HOME
from benchmarks.detectors.errors import DisagreementError
from benchmarks.detectors.goals import GOALS
from benchmarks.detectors.growth import Curve
from benchmarks.detectors.page import PAGE, written_page
from benchmarks.detectors.picture import is_current
from benchmarks.detectors.results import OtherMachineError, Results, gathered
from benchmarks.detectors.row import Given, Row
from benchmarks.detectors.rows import ROWS, ours, peer
from benchmarks.detectors.side import Worker
from detectors.catalog import detector_types


def test_every_goal_has_a_row_and_every_row_a_name_of_its_own() -> None:
    assert {row.goal.name for row in ROWS if row.goal} == set(GOALS)
    assert len({row.name for row in ROWS}) == len(ROWS)
    measured = {row.name.removeprefix("memory-") for row in ROWS if row.name.startswith("memory-")}
    assert measured == set(detector_types()) - {"auto"}


def test_every_peer_has_its_module_and_pinned_versions() -> None:
    workers = [side for row in ROWS for side in (row.ours, row.peer) if isinstance(side, Worker)]
    assert workers
    for worker in workers:
        if worker.environment == "r":
            assert (HOME / "r.R").exists()
            continue
        assert find_spec(worker.module), worker.module
        if worker.environment != environments.OURS:
            lines = (HOME / f"{worker.environment}.txt").read_text().split()
            assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9a-z.]*", line) for line in lines)
            assert worker.environment in {line.partition("==")[0].lower() for line in lines}


def test_page_and_picture_show_the_figures() -> None:
    """`python -m benchmarks.detectors --page` makes both."""
    results = Results.read()
    assert written_page(results) == PAGE.read_text()
    assert is_current(results)


def test_figures_name_no_machine_and_are_of_rows_that_exist() -> None:
    results = Results.read()
    assert set(results.rows) <= {row.name for row in ROWS}
    assert set(results.machine) == {"cores", "model", "system"}
    told = " ".join(outcome.absent for outcome in results.rows.values())
    assert "/" not in told


@dataclass(frozen=True)
class Told:
    """A side that finds and costs what it is told to."""

    amounts: tuple[float, ...]
    answer: Mapping[str, Any]
    title: str = "told"
    left: list[float] = field(default_factory=list)

    @contextmanager
    def begin(self, folder: Path) -> Iterator["Told"]:
        self.left.extend(self.amounts)
        yield self

    def sample(self) -> Sample:
        return Sample(self.left.pop(0), 1.0)


def test_a_row_gives_medians_and_spreads_of_as_many_turns() -> None:
    sides = Told((3, 1, 2), {"rows": [[4]]}), Told((20, 60, 40), {"rows": [[4]]})
    outcome = Row("row", "what", *sides, checks.same_rows, rounds=3).measure()
    assert outcome.ours == Spread(2, 1, 3, 1)
    assert outcome.peer == Spread(40, 20, 60, 1)
    assert outcome.agreement == "the same 1 anomalies in 1 series"
    assert Outcome.from_dict(outcome.to_dict()) == outcome


def test_sides_that_found_different_things_have_no_figures() -> None:
    sides = Told((1,), {"rows": [[4]]}), Told((1,), {"rows": [[5]]})
    outcome = Row("row", "what", *sides, checks.same_rows, rounds=1).measure()
    assert outcome.ours is None
    assert "answers differ: series 0" in outcome.absent


_FORECAST = {"expected": [10.0, 11.0], "lower": [7.0, 8.0], "upper": [13.0, 14.0]}
_MOMENTS = {"mean": [[1.0]], "deviation": [[2.0]]}


@pytest.mark.parametrize(
    ("check", "ours", "peer"),
    [
        (checks.same_rows, {"rows": [[1], [2]]}, {"rows": [[1], [2, 3]]}),
        (checks.same_scores, {"rows": [[1]], "score": [[1.0]]}, {"rows": [[1]], "score": [[1.1]]}),
        (checks.same_moments, _MOMENTS, {**_MOMENTS, "deviation": [[2.1]]}),
        (checks.same_flags, {"flags": [["a", 1]]}, {"flags": [["a", 2]]}),
        (checks.similar_flags, {"flags": [["a", 1], ["a", 2]]}, {"flags": [["a", 1]]}),
        (checks.same_count, {"rows": 1}, {"rows": 2}),
        (checks.same_forecasts, _FORECAST, {**_FORECAST, "expected": [10.3, 11.3]}),
        (checks.another_model, _FORECAST, {**_FORECAST, "expected": [12.0, 9.0]}),
    ],
)
def test_checks_refuse_what_differs_and_take_what_does_not(
    check: Callable[[Any, Any], str], ours: Any, peer: Any
) -> None:
    assert check(ours, ours)
    with pytest.raises(DisagreementError):
        check(ours, peer)


@pytest.mark.slow
def test_workers_of_both_sides_do_the_same_in_processes_of_their_own() -> None:
    values = np.random.default_rng(1).normal(size=(5, 200))
    given = Given(values, {"step": "h", "lower": -2.0, "upper": 2.0})
    copy = peer("numpy", "copy", 5, "np.copyto", environments.OURS)
    row = Row("row", "what", ours("threshold", 5), copy, checks.same_scores, None, lambda: given)
    outcome = row.measure(2)
    assert outcome.absent == ""
    assert f"the same {(abs(values) > 2).sum()} anomalies in 5 series" in outcome.agreement
    assert outcome.ours is not None
    assert outcome.peer is not None
    assert outcome.ours.median > outcome.peer.median > 0


def test_a_peer_that_cannot_be_installed_is_absent_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LUPUS_PEERS_DIR", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setitem(environments.PYTHONS, "polars", "3.1")
    absent = peer("polars", "rolling_z", 1)
    mine = Told((1,), {})
    outcome = Row("row", "what", mine, absent, checks.nothing, rounds=1).measure()
    assert outcome.absent == "it needs Python 3.1, which is not installed"


def test_figures_of_two_machines_are_not_mixed(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    mine = {"cores": 2, "model": "a", "system": "Linux"}
    curve = Curve("threshold", "points", "2026-01-01", 0.0, {"100": 0.1, "1000": 1.0})
    gathered(file, mine, {}, [], [curve]).write(file)
    again = gathered(file, mine, {}, [Outcome("row", "2026-01-01", 0.0, absent="x")], [])
    assert list(again.rows) == ["row"]
    assert again.growth == {curve.name: curve}
    assert curve.exponent == pytest.approx(1)
    with pytest.raises(OtherMachineError, match="another machine"):
        gathered(file, {**mine, "model": "b"}, {}, [], [])
