"""The API's own description."""

import json
from typing import Any

import pytest

from tests.conftest import ROOT


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    read: dict[str, Any] = json.loads((ROOT / "docs" / "openapi.json").read_text("utf-8"))
    return read


def test_it_is_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")


def test_every_operation_has_a_name_a_summary_and_a_problem(document: dict[str, Any]) -> None:
    names = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            names.append(operation["operationId"])
            assert operation["summary"], (path, method)
            assert "application/problem+json" in operation["responses"]["default"]["content"]
    assert len(names) == len(set(names)) > 30


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def follow(node: Any) -> None:
        if isinstance(node, dict):
            if "$ref" in node:
                target: Any = document
                for part in node["$ref"].removeprefix("#/").split("/"):
                    target = target[part]
            for value in node.values():
                follow(value)
        elif isinstance(node, list):
            for value in node:
                follow(value)

    follow(document)


def test_problems_and_metrics_have_their_own_media_types(document: dict[str, Any]) -> None:
    refused = document["paths"]["/v1/sources/{source}/points"]["post"]["responses"]["422"]
    assert list(refused["content"]) == ["application/problem+json"]
    measured = document["paths"]["/metrics"]["get"]["responses"]["200"]
    assert list(measured["content"]) == ["text/plain"]
