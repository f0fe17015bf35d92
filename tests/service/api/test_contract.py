"""The OpenAPI document against the application: whatever is sent, answers are as documented.

schemathesis makes requests from the document, right ones and wrong ones, for callers with several
grants; none may end in a 5xx, or in a status, media type or body that the document does not have.
`LUPUS_TEST_CONTRACT_EXAMPLES=200` looks longer; a failure prints the request.
"""

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from service.app import open_app
from service.auth.caller import VERBS
from service.database.deliveries import insert_delivery
from tests.conftest import ROOT
from tests.service.api.house import URL, House, daily, detection, idle_settings

EXAMPLES = int(os.environ.get("LUPUS_TEST_CONTRACT_EXAMPLES", "8"))
CHANNEL = "contract-hook"
DOCUMENT: dict[str, Any] = json.loads((ROOT / "docs" / "openapi.json").read_text("utf-8"))
OPERATIONS = [(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods]
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
Known = Mapping[str, list[str]]
schemathesis.serializer.alias("application/x-protobuf", "application/octet-stream")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_app(idle_settings(tmp_path_factory.mktemp("contract"))) as app:
        yield House(app)


@pytest.fixture(scope="module")
def schema() -> Any:
    return schemathesis.openapi.from_dict(DOCUMENT)


@pytest.fixture(scope="module")
def callers(house: House) -> list[httpx2.Client]:
    """Who asks: nobody, somebody with a false token, and tokens with several grants."""
    tokens = [
        house.token(),
        house.token(["contract.*"], ["read"]),
        house.token(["contract.*"], VERBS),
        house.token(["other"], VERBS),
        house.token(["contract.*"], ["ingest", "detect"]),
        "lps_" + "0" * 43,
    ]
    far = house.client(client=("203.0.113.9", 50000))
    return [house.client(), far, *(house.client(token) for token in tokens)]


@pytest.fixture
def known(house: House) -> Known:
    """Ids of things that are there, by the names of path parameters; made again for each route."""
    source = house.source(f"contract.{secrets.token_hex(4)}")  # a deleted name is not free again
    ingest = house.send(source, daily([0.4, 0.5]))
    run = house.call("POST", "/v1/detections", 202, json=detection(source))
    delivery = house.delivery(source)
    hook = {"kind": "webhook", "url": "http://127.0.0.1:9/hook"}
    assert house.http.put(f"/v1/channels/{CHANNEL}", json=hook).is_success
    with house.resources.database.write() as tx:
        tx.exec_driver_sql("DELETE FROM deliveries")
        insert_delivery(tx, delivery)
    token = {"name": "contract", "sources": [source], "verbs": ["read"]}
    return {
        "source": [source],
        "ingest": [ingest["id"]],
        "run": [run["id"]],
        "detection": [run["id"]],
        "delivery": [delivery.id],
        "channel": [CHANNEL],
        "anomaly": [house.anomaly(source)],
        "token": [house.call("POST", "/v1/tokens", 201, json=token)["id"]],
        "detector": ["window"],
    }


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_answer_is_as_documented(
    house: House,
    schema: Any,
    callers: list[httpx2.Client],
    known: Known,
    path: str,
    method: str,
) -> None:
    operation = schema[path][method]
    made = [operation.as_strategy(generation_mode=mode) for mode in GenerationMode]

    @seed(20261108)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(case=st.one_of(made), caller=st.sampled_from(callers), there=st.booleans())
    def check(case: Any, caller: httpx2.Client, there: bool) -> None:
        for name, ids in known.items():
            if there and f"{{{name}}}" in path:
                case.path_parameters[name] = ids[0]
        answer = _send(caller, case)
        case.validate_response(answer, checks=CHECKS)
        if not answer.is_success and answer.status_code not in (301, 307, 308):
            _check_problem(answer)

    check()


def _send(caller: httpx2.Client, case: Any) -> httpx2.Response:
    sent = case.as_transport_kwargs(base_url=URL)
    arguments = {name: sent[name] for name in ("json", "params") if name in sent}
    if "data" in sent:
        arguments["content" if isinstance(sent["data"], bytes | str) else "data"] = sent["data"]
    headers = {name: str(value) for name, value in sent["headers"].items()}
    headers.pop("Authorization", None)
    try:
        return caller.request(sent["method"], sent["url"], headers=headers, **arguments)
    except (httpx2.InvalidURL, UnicodeError, TypeError, ValueError):
        assume(False)  # no client could send that
        raise


def _check_problem(answer: httpx2.Response) -> None:
    """A refusal is a problem document that says why, and shows no secret."""
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["detail"]
    assert len(answer.content) < 50_000
