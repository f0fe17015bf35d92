"""What is the same for all tasks: nothing counted, groups, and what is stored."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from lupus.errors import FrameError
from lupus.evaluation import (
    Binary,
    Evaluation,
    Multiclass,
    Multilabel,
    RankedLists,
    Ranking,
    Regression,
    Reproduction,
    Task,
    evaluate,
)
from tests.library.evaluation.frames import same

SETS = [["cat"], ["cat", "dog"], [], ["dog"]]
FRAME: dict[str, Any] = {
    "y": [1, 0, 1, 0],
    "p": [0.9, 0.2, 0.3, 0.6],
    "x": [1.0, 2.0, 3.0, 4.0],
    "a": ["cat", "dog", "cat", "dog"],
    "b": ["cat", "dog", "dog", "dog"],
    "one": SETS,
    "two": SETS[::-1],
    "side": [0, 1, 0, 1],
    "region": ["jp", "jp", "tw", "tw"],
}
TASKS: dict[str, Task] = {
    "binary": Binary("y", "p"),
    "binary prediction": Binary("y", prediction="side"),
    "multiclass": Multiclass("a", "b"),
    "multiclass scores": Multiclass("y", scores={"1": "p", "0": "p"}),
    "multilabel": Multilabel("one", "two"),
    "multilabel scores": Multilabel({"cat": "y"}, scores={"cat": "p"}),
    "regression": Regression("x", "p", {"p": 0.5}),
    "ranking": Ranking("a", "b", "p", "y", popularity="p", category="a"),
    "lists": RankedLists(recommended="one", relevant="two"),
    "reproduction": Reproduction("a", "p", side="side"),
}


@pytest.mark.parametrize("name", TASKS)
def test_nothing_has_no_shares_and_changes_nothing(name: str) -> None:
    task = TASKS[name]
    nothing = evaluate({column: [] for column in FRAME}, task)
    for metric in nothing.metrics():
        assert metric.value in (None, 0), metric
    some = evaluate(FRAME, task)
    for both in (some.merge(nothing), nothing.merge(some)):
        assert same(both.metrics(), some.metrics())
    assert evaluate(FRAME, task, "region").merge(evaluate(FRAME, task, "region")).by == ("region",)


@pytest.mark.parametrize("name", TASKS)
def test_what_is_stored_comes_back(name: str) -> None:
    found = evaluate(FRAME, TASKS[name], by="region")
    again = Evaluation.from_json(found.to_json())
    assert again.metrics() == found.metrics()
    assert again.to_json() == found.to_json()


@pytest.mark.parametrize("name", TASKS)
def test_a_group_alone_is_the_same_as_among_others(name: str) -> None:
    grouped = evaluate(FRAME, TASKS[name], by="region").metrics()
    for region, rows in (("jp", slice(0, 2)), ("tw", slice(2, 4))):
        alone = evaluate({key: column[rows] for key, column in FRAME.items()}, TASKS[name])
        expected = {(one.name, *sorted(one.labels.items())): one.value for one in alone.metrics()}
        found = {
            (one.name, *sorted(set(one.labels.items()) - {("region", region)})): one.value
            for one in grouped
            if one.labels["region"] == region
        }
        assert found == expected


def test_wide_integers_stay_apart() -> None:
    large = 2**53
    frame = {"u": [1, 1], "i": np.array([large, large + 1]), "s": [2, 1], "r": [0, 1]}
    metrics = evaluate(frame, Ranking("u", "i", "s", "r", k=[1, 2])).metrics()
    assert (metrics["hit_rate@1"], metrics["hit_rate@2"]) == (0, 1)


def test_columns_of_pandas_may_be_numbers_but_not_twice() -> None:
    frame = pd.DataFrame({0: [0, 1], 1: [0.2, 0.9]})
    assert evaluate(frame, Binary("0", "1")).metrics()["auc"] == 1
    twice = pd.DataFrame([[0, 0.2, 0.3]], columns=["y", "p", "p"])
    with pytest.raises(FrameError, match="column 'p' more than once"):
        evaluate(twice, Binary("y", "p"))
