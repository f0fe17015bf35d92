"""Metrics are what every part of the library gives and the client sends."""

import subprocess
import sys

import pytest

import lupus
from lupus import Metric, Metrics, MetricsError


def test_names_and_values_make_metrics() -> None:
    metrics = Metrics({"rows": 3, "ndcg@10": 0.41, "auc": None})
    assert [metric.name for metric in metrics] == ["rows", "ndcg@10", "auc"]
    assert metrics.to_dict() == {"rows": 3.0, "ndcg@10": 0.41, "auc": None}
    assert metrics["ndcg@10"] == 0.41
    assert metrics[:1] == Metrics({"rows": 3})


def test_labels_and_prefixes_are_added_to_all() -> None:
    metrics = (
        Metrics([Metric("rows", 3.0, {"region": "jp"})]).labelled(model="a").prefixed("train.")
    )
    assert str(metrics) == 'train.rows{model="a",region="jp"} 3.0'


def test_a_metric_twice_is_refused_and_with_other_labels_not() -> None:
    jp, tw = Metric("rows", 3.0, {"region": "jp"}), Metric("rows", 4.0, {"region": "tw"})
    assert len(Metrics([jp]) + Metrics([tw])) == 2
    with pytest.raises(MetricsError, match=r'rows\{region="jp"\} is there twice'):
        Metrics([jp, Metric("rows", 5.0, {"region": "jp"})])
    with pytest.raises(MetricsError, match="2 different labels"):
        Metrics([jp, tw]).to_dict()


@pytest.mark.parametrize("name", ["", "a" * 201, "a\nb"])
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(MetricsError, match="1 to 200 printable characters"):
        Metric(name, 1.0)


def test_bad_labels_are_refused() -> None:
    with pytest.raises(MetricsError, match="'my-label'"):
        Metric("rows", 1.0, {"my-label": "x"})
    with pytest.raises(MetricsError, match="must be text, not 3"):
        Metric("rows", 1.0, {"day": 3})


def test_a_table_has_a_column_for_each_label() -> None:
    metrics = Metrics([Metric("rows", 3.0, {"region": "<jp>"}), Metric("auc", None)])
    table = metrics.to_pandas()
    assert list(table.columns) == ["metric", "region", "value"]
    assert "&lt;jp&gt;" in metrics._repr_html_()


def test_importing_it_imports_nothing_heavy() -> None:
    asked = (
        "import sys, lupus; lupus.Metrics({'a': 1});"
        "print([name for name in ('numpy', 'pandas', 'polars', 'pyspark', 'detectors') "
        "if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"


def test_every_public_name_is_there() -> None:
    assert lupus.__all__ == sorted(lupus.__all__)
    for name in lupus.__all__:
        assert getattr(lupus, name).__name__ == name
