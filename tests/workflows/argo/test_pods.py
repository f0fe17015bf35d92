"""The pod file: what an operator may write, and how each mistake is named."""

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from workflows.argo.pods import pods_of, read_pods
from workflows.errors import BadRequestError

SECRET = {"secretKeyRef": {"name": "s", "key": "k"}}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([], "the file is list; allowed is keys with values"),
        ({"detct": {}}, "detct is unknown: did you mean detect?"),
        ({"note": {}}, "note is unknown: allowed are plan, detect, publish"),
        (
            {"plan": {"resource": {"limits": {}}}},
            "plan.resource is unknown: did you mean resources?",
        ),
        ({"plan": {"resources": {"limit": {"cpu": 1}}}}, "plan.resources.limit is no field"),
        ({"plan": {"env": {"A": "b"}}}, "plan.env is dict; allowed is a list"),
        ({"plan": {"env": [{"value": "x"}]}}, "plan.env[0].name"),
        ({"plan": {"env": [{"name": "A", "valeu": "x"}]}}, "plan.env[0].valeu is no field"),
        (
            {"plan": {"env": [{"name": "A", "valueFrom": {"secretRef": {"name": "s"}}}]}},
            "plan.env[0].valueFrom.secretRef is no field",
        ),
        ({"plan": {"nodeSelector": {"gpu": True}}}, "plan.nodeSelector.gpu is bool; allowed is a"),
        ({"plan": {"priorityClassName": 3}}, "plan.priorityClassName is int; allowed is a text"),
        ({"plan": {"tolerations": [{"effct": "NoSchedule"}]}}, "plan.tolerations[0].effct"),
        (
            {"detect": {"env": [{"name": "LUPUS_ELASTICSEARCH_API_KEY", "valueFrom": SECRET}]}},
            "LUPUS_ELASTICSEARCH_API_KEY is not for detect pods",
        ),
        (
            {"detect": {"env": [{"name": "LUPUS_HIVE_PASSWORD", "valueFrom": SECRET}]}},
            "not for detect pods",
        ),
        (
            {"publish": {"env": [{"name": "LUPUS_DATABASE_PASSWORD", "valueFrom": SECRET}]}},
            "no pod gets LUPUS_DATABASE_PASSWORD",
        ),
        (
            {"plan": {"env": [{"name": "LUPUS_S3_SECRET_ACCESS_KEY", "value": "hush"}]}},
            "plan.env[0]: LUPUS_S3_SECRET_ACCESS_KEY is a secret",
        ),
        (
            {"detect": {"env": [{"name": "AWS_SESSION_TOKEN", "value": "hush"}]}},
            "detect.env[0]: AWS_SESSION_TOKEN is a secret",
        ),
    ],
)
def test_a_mistake_is_named_by_its_path(content: Any, said: str) -> None:
    with pytest.raises(BadRequestError) as refused:
        pods_of(content)
    assert said in str(refused.value)
    assert str(refused.value).startswith("LUPUS_ARGO_POD_FILE")
    assert "hush" not in str(refused.value)


def test_empty_values_are_as_good_as_none() -> None:
    """A chart writes them."""
    found = pods_of({"plan": {"nodeSelector": {}, "env": [], "affinity": None}, "detect": None})
    assert found["plan"].given == {}
    assert pods_of({}) == {}


def test_numbers_are_as_good_as_texts_in_resources() -> None:
    found = pods_of({"plan": {"resources": {"limits": {"cpu": 2, "memory": "1Gi"}}}})
    dumped = found["plan"].one("resources").model_dump(by_alias=True, exclude_none=True)
    assert dumped == {"limits": {"cpu": "2", "memory": "1Gi"}}


def test_the_documented_file_is_fine(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "argo.md").read_text("utf-8").partition("## The pod file")[2]
    file = tmp_path / "pods.yaml"
    file.write_text(page.partition("```yaml")[2].partition("```")[0])
    found = read_pods(file)
    assert [variable.name for variable in found["detect"].many("env")] == [
        "LUPUS_S3_SECRET_ACCESS_KEY"
    ]


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadRequestError, match="LUPUS_ARGO_POD_FILE: No such file"):
        read_pods(tmp_path / "nowhere.yaml")
    file = tmp_path / "pods.yaml"
    file.write_text("plan: [")
    with pytest.raises(BadRequestError, match="is not YAML"):
        read_pods(file)
    assert read_pods(None) == {}
