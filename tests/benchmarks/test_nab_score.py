"""NAB's scoring rule, against sums by hand and against what NAB's makers published."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.quality.nab_files import NabFile, profiles, read_files, recorded_flags
from benchmarks.quality.nab_score import (
    Weights,
    best_score,
    held_out_score,
    probation_rows,
    score_at,
    worth,
)
from benchmarks.quality.windowed_gaussian import windowed_gaussian
from detectors.series import Floats

EVEN = Weights(true_positive=1.0, false_negative=1.0, false_positive=0.11)
# https://github.com/numenta/NAB, its table of scores: standard, low false positives and negatives.
TWITTER = (47.06, 33.61, 53.50)
WINDOWED_GAUSSIAN = (39.65, 20.87, 47.41)


def alarms(n: int, *rows: int) -> Floats:
    scores = np.zeros(n)
    scores[list(rows)] = 1.0
    return scores


def one_file(scores: Floats, windows: list[tuple[int, int]], weights: Weights = EVEN) -> float:
    return best_score([scores], [worth(len(scores), windows, weights)], weights)[0]


def test_probation_is_15_percent_and_at_most_750_rows() -> None:
    assert [probation_rows(n) for n in (100, 4033, 20_000)] == [15, 604, 750]


def test_the_first_row_of_each_window_is_100_and_nothing_is_0() -> None:
    windows = [(40, 49), (80, 89)]
    assert one_file(alarms(100, 40, 80), windows) == pytest.approx(100)
    assert one_file(alarms(100), windows) == 0
    assert one_file(alarms(100, 40), windows) == pytest.approx(50)


def test_an_early_alarm_is_worth_more_and_the_best_of_a_window_counts_once() -> None:
    windows = [(40, 59)]
    found = [one_file(alarms(100, row), windows) for row in (40, 50, 59)]
    assert found[0] == pytest.approx(100)
    assert 99 > found[1] > found[2] > 50
    assert one_file(alarms(100, 50, 59, 55), windows) == pytest.approx(found[1])


def test_a_false_alarm_costs_more_the_farther_it_is_from_the_window_before() -> None:
    windows = [(40, 49)]

    def cost(row: int) -> float:
        made = worth(200, windows, EVEN)
        return 100 - score_at(1.0, [alarms(200, 40, row)], [made], EVEN)

    assert 0 < cost(50) < cost(55) < cost(100)
    assert cost(100) == pytest.approx(100 * 0.11 / 2)
    assert cost(30) == pytest.approx(100 * 0.11 / 2), "before any window all of it"


def test_probation_does_not_count() -> None:
    windows = [(40, 49)]
    assert one_file(alarms(100, 3, 14, 40), windows) == pytest.approx(100)
    assert one_file(alarms(100, 15, 40), windows) < 100


def test_a_group_is_scored_by_the_threshold_of_the_others() -> None:
    made = [worth(100, [(40, 49)], EVEN), worth(100, [(40, 49)], EVEN)]
    loud, low = alarms(100, 40), 0.4 * alarms(100, 40)
    assert held_out_score([loud, loud], made, EVEN, ["a", "b"]) == pytest.approx(100)
    # At 1.0, which is best for the loud one, the low one has no alarm; at 0.4 the loud one has.
    assert best_score([loud, low], made, EVEN)[0] == pytest.approx(100)
    assert held_out_score([loud, low], made, EVEN, ["a", "b"]) == pytest.approx(50)


def test_one_threshold_for_all_files_is_chosen() -> None:
    windows = [(40, 49)]
    files = [2.0 * alarms(100, 40) + alarms(100, *range(60, 100)), 3.0 * alarms(100, 40)]
    worths = [worth(100, windows, EVEN)] * 2
    assert best_score(files, worths, EVEN) == pytest.approx((100, 2.0))


@pytest.fixture(scope="module")
def nab(request: pytest.FixtureRequest) -> tuple[Path, list[NabFile]]:
    folder: Path = request.getfixturevalue("shared_data") / "nab"
    return folder, read_files(folder)


def scores_of(nab: tuple[Path, list[NabFile]], scores: list[Floats]) -> list[float]:
    folder, files = nab
    found = []
    for costs in profiles(folder).values():
        weights = Weights(costs["tpWeight"], costs["fnWeight"], costs["fpWeight"])
        worths = [worth(len(file.values), file.windows, weights) for file in files]
        found.append(best_score(scores, worths, weights)[0])
    return found


def test_twitters_flags_score_as_published(nab: tuple[Path, list[NabFile]]) -> None:
    flags = recorded_flags(nab[0])
    scores = [alarms(len(file.values), *flags[file.name]) for file in nab[1]]
    assert scores_of(nab, scores) == pytest.approx(TWITTER, abs=0.005)


@pytest.mark.slow
def test_the_windowed_gaussian_scores_as_published(nab: tuple[Path, list[NabFile]]) -> None:
    scores = [windowed_gaussian(file.values) for file in nab[1]]
    assert scores_of(nab, scores) == pytest.approx(WINDOWED_GAUSSIAN, abs=0.005)
