"""Ranked lists against ir-measures (trec_eval's and gdeval's code), and by hand."""

import math
from collections.abc import Callable
from typing import Any

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lupus.errors import EvaluationError, FrameError
from lupus.evaluation import Evaluation, RankedLists, Ranking, evaluate
from tests.library.evaluation.frames import FRAMES, same

TASK = Ranking("user", "item", "score", "clicks", k=(1, 3, 10))


def _rows(seed: int, users: int = 12, items: int = 15) -> dict[str, list[Any]]:
    """Rows of users who have at least one relevant item, with distinct scores or none."""
    random = np.random.default_rng(seed)
    rows: dict[str, list[Any]] = {"user": [], "item": [], "score": [], "clicks": []}
    for user in range(users):
        clicks = random.choice([0, 0, 0, 1, 2, 3], items)
        clicks[random.integers(items)] = 1
        for place, item in enumerate(random.permutation(items).tolist()):
            recommended = random.uniform() < 0.6
            if not recommended and not clicks[item]:
                continue
            rows["user"].append(f"u{user}")
            rows["item"].append(f"i{item}")
            rows["score"].append(-float(place) if recommended else None)
            rows["clicks"].append(int(clicks[item]))
    return rows


@pytest.mark.parametrize("seed", range(4))
def test_measures_are_those_of_trec_eval(seed: int) -> None:
    rows = _rows(seed)
    ours = evaluate(rows, TASK).metrics()
    each = list(zip(*rows.values(), strict=True))
    qrels = [ir_measures.Qrel(user, item, clicks) for user, item, _, clicks in each]
    run = [
        ir_measures.ScoredDoc(user, item, score)
        for user, item, score, _ in each
        if score is not None
    ]
    theirs = {
        "ndcg": ir_measures.nDCG,
        "precision": ir_measures.P,
        "recall": ir_measures.R,
        "map": ir_measures.AP,
        "mrr": ir_measures.RR,
        "hit_rate": ir_measures.Success,
    }
    for name, measure in theirs.items():
        for k in (1, 3, 10):
            answer = (
                ir_measures.pytrec_eval.calc_aggregate([measure @ k], qrels, run)
                if (name != "mrr")
                else ir_measures.msmarco.calc_aggregate([measure @ k], qrels, run)
            )
            assert ours[f"{name}@{k}"] == pytest.approx(answer[measure @ k], abs=1e-12), name


def test_by_hand() -> None:
    # a: list x y z, relevant y (2) and w (1), which was not recommended; b: list x, relevant x
    frame = {
        "user": ["a", "a", "a", "a", "b"],
        "item": ["x", "y", "z", "w", "x"],
        "score": [0.9, 0.8, 0.7, None, 0.1],
        "clicks": [0, 2, None, 1, 1],
    }
    linear = evaluate(frame, Ranking("user", "item", "score", "clicks", k=[2])).metrics()
    discount = 1 / math.log2(3)
    assert linear["ndcg@2"] == pytest.approx((2 * discount / (2 + discount) + 1) / 2)
    exponential = evaluate(
        frame,
        Ranking("user", "item", "score", "clicks", k=[2], gain="exponential"),
    ).metrics()
    assert exponential["ndcg_exp@2"] == pytest.approx((3 * discount / (3 + discount) + 1) / 2)
    assert linear["precision@2"] == 0.5
    assert linear["recall@2"] == 0.75
    assert linear["map@2"] == pytest.approx((0.5 / 2 + 1) / 2)
    assert linear["mrr@2"] == 0.75
    assert linear["hit_rate@2"] == 1
    assert linear["coverage@2"] == 0.5
    shares = np.array([2, 1]) / 3
    assert linear["top_share@2"] == pytest.approx(2 / 3)
    assert linear["entropy@2"] == pytest.approx(-(shares * np.log2(shares)).sum())


def test_equal_scores_are_in_the_order_of_items() -> None:
    frame = {"user": [1, 1, 1], "item": [10, 9, 8], "score": [0.5] * 3, "clicks": [0, 1, 0]}
    task = Ranking("user", "item", "score", "clicks", k=[1, 2])
    metrics = evaluate(frame, task).metrics()
    assert (metrics["hit_rate@1"], metrics["hit_rate@2"]) == (0, 1)
    text = {**frame, "item": ["10", "9", "8"]}
    assert evaluate(text, task).metrics()["mrr@2"] == 0


def test_queries_without_relevant_items_are_left_out_or_zero() -> None:
    frame = {"user": [1, 2], "item": [1, 1], "rank": [1, 1], "clicks": [1, 0]}
    skip = Ranking("user", "item", rank="rank", relevance="clicks", k=[1])
    metrics = evaluate(frame, skip).metrics()
    assert metrics["ndcg@1"] == 1
    assert metrics["queries.without_relevant"] == 1
    zero = Ranking("user", "item", rank="rank", relevance="clicks", k=[1], without_relevant="zero")
    assert evaluate(frame, zero).metrics()["ndcg@1"] == 0.5
    nobody = evaluate({**frame, "clicks": [0, 0]}, skip).metrics()
    assert nobody["ndcg@1"] is None
    nothing = evaluate({name: [] for name in frame}, skip).metrics()
    assert nothing["ndcg@1"] is nothing["coverage@1"] is nothing["entropy@1"] is None


def test_recommendations_and_clicks_may_be_one_below_the_other() -> None:
    apart = {
        "user": ["a", "a", "a", "a"],
        "item": ["x", "y", "y", "z"],
        "score": [0.9, 0.8, None, None],
        "clicks": [None, None, 1, 1],
    }
    joined = {
        "user": ["a"] * 3,
        "item": ["x", "y", "z"],
        "score": [0.9, 0.8, None],
        "clicks": [0, 1, 1],
    }
    one, two = evaluate(apart, TASK).metrics(), evaluate(joined, TASK).metrics()
    assert one["ndcg@10"] == two["ndcg@10"]
    assert one["recall@10"] == 0.5


def test_diversity_and_novelty() -> None:
    frame = {
        "user": ["a", "a", "a", "b"],
        "item": ["x", "y", "z", "x"],
        "score": [3, 2, 1, 1],
        "clicks": [1, 0, 0, 1],
        "kind": ["film", "film", "book", "film"],
        "popularity": [0.5, 0.25, None, 0.5],
    }
    task = Ranking(
        "user", "item", "score", "clicks", k=[3],
        category="kind", popularity="popularity", catalogue=10,
    )  # fmt: skip
    metrics = evaluate(frame, task).metrics()
    assert metrics["diversity@3"] == pytest.approx(2 / 3)  # b has no pair
    assert metrics["novelty@3"] == pytest.approx((1 + 2 + 1) / 3)  # z has no popularity
    assert metrics["coverage@3"] == 0.3


LISTS = st.lists(
    st.tuples(
        st.lists(st.integers(0, 6), max_size=5, unique=True),
        st.lists(st.integers(0, 6), unique=True),
    ),
    min_size=1,
    max_size=6,
)


@given(LISTS)
@settings(max_examples=30)
def test_lists_in_one_row_are_the_same_as_rows(lists: list[tuple[list[int], list[int]]]) -> None:
    wide = {"shown": [one for one, _ in lists], "clicked": [two for _, two in lists]}
    long: dict[str, list[Any]] = {"user": [], "item": [], "rank": [], "clicks": []}
    for user, (shown, clicked) in enumerate(lists):
        for item in {*shown, *clicked}:
            rank = shown.index(item) if item in shown else None
            for name, value in zip(long, (user, item, rank, item in clicked), strict=True):
                long[name].append(value)
    one = evaluate(wide, RankedLists(recommended="shown", relevant="clicked", k=[1, 3])).metrics()
    task = Ranking("user", "item", rank="rank", relevance="clicks", k=[1, 3])
    two = evaluate(long, task).metrics()
    assert one["queries"] == len(lists)
    empty = sum(not shown and not clicked for shown, clicked in lists)
    assert one["queries.without_relevant"] == two["queries.without_relevant"] + empty  # type: ignore[operator]
    for name in ("ndcg@3", "recall@1", "map@3", "mrr@3", "precision@3", "coverage@3", "entropy@1"):
        assert one[name] is two[name] is None or one[name] == pytest.approx(two[name]), name


@pytest.mark.parametrize("kind", FRAMES)
def test_lists_from_every_kind_of_frame(kind: str) -> None:
    make: Callable[[Any], Any] = FRAMES[kind]
    frame = make(
        {"shown": [["x", "y"], None, ["z", "z"]], "clicked": [["y", "w"], ["x"], ["z"]],
         "gains": [[3.0, 1.0], [1.0], [1.0]]}
    )  # fmt: skip
    task = RankedLists(recommended="shown", relevant="clicked", gains="gains", k=[2])
    metrics = evaluate(frame, task).metrics()
    assert metrics["queries"] == 3
    assert metrics["recall@2"] == 0.5
    assert metrics["precision@2"] == pytest.approx(1 / 3)  # z counts once


def test_parts_merge_to_the_whole() -> None:
    parts = [evaluate(_rows(seed), TASK) for seed in range(3)]
    merged = parts[0].merge(Evaluation.from_json(parts[1].to_json())).merge(parts[2])
    whole: dict[str, list[Any]] = {name: [] for name in _rows(0)}
    for seed in range(3):
        rows = _rows(seed)
        rows["user"] = [f"{seed} {user}" for user in rows["user"]]
        for name, column in rows.items():
            whole[name] += column
    assert same(merged.metrics(), evaluate(whole, TASK).metrics())


def test_what_cannot_be_ranked_is_said() -> None:
    with pytest.raises(EvaluationError, match="score= or rank="):
        Ranking("user", "item")
    with pytest.raises(EvaluationError, match="'linear' or 'exponential', not 'log'"):
        RankedLists(gain="log")
    with pytest.raises(EvaluationError, match="at least 1"):
        RankedLists(k=[0])
    with pytest.raises(FrameError, match="'relevant' must hold lists, not 'x'"):
        evaluate({"recommended": [["x"]], "relevant": ["x"]}, RankedLists())
    with pytest.raises(FrameError, match="'clicks' must hold relevance from 0 up, not -1"):
        evaluate({"user": [1], "item": [1], "score": [1], "clicks": [-1]}, TASK)


def test_exponential_gain_is_that_of_gdeval() -> None:
    rows = _rows(9)
    each = list(zip(*rows.values(), strict=True))
    qrels = [ir_measures.Qrel(user[1:], item, clicks) for user, item, _, clicks in each]
    run = [
        ir_measures.ScoredDoc(user[1:], item, one) for user, item, one, _ in each if one is not None
    ]
    measure = ir_measures.nDCG(dcg="exp-log2") @ 10
    theirs = ir_measures.gdeval.calc_aggregate([measure], qrels, run)[measure]
    task = Ranking("user", "item", "score", "clicks", k=[10], gain="exponential")
    assert evaluate(rows, task).metrics()["ndcg_exp@10"] == pytest.approx(theirs, abs=1e-5)


def test_rows_without_query_or_item_are_counted_and_left_out() -> None:
    frame = {
        "user": ["a", "a", None, "a"],
        "item": ["x", None, "z", "y"],
        "score": [0.1, 0.9, 0.8, 0.2],
        "clicks": [1, 1, 1, 0],
    }
    metrics = evaluate(frame, Ranking("user", "item", "score", "clicks", k=[2])).metrics()
    assert metrics["rows.skipped"] == 2
    assert metrics["queries"] == metrics["recall@2"] == 1
    assert metrics["mrr@2"] == metrics["coverage@2"] / 2 == 0.5  # type: ignore[operator]
