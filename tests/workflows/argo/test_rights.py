"""The two service accounts of the real tests have the documented rights and no other."""

from typing import Any

import pytest
from kubernetes import client

from tests.workflows.argo.cluster import SERVICE, WORKER, Space, namespace
from workflows.argo.rights import SERVICE_RULES, WORKER_RULES, Rule

pytestmark = pytest.mark.real

# What Kubernetes grants to everybody who has logged in: to ask about oneself.
_EVERYBODYS = ("authorization.k8s.io", "authentication.k8s.io")


def rights(space: Space, account: str) -> set[tuple[str, str, str]]:
    opened = space.account(account)
    review: Any = {"spec": {"namespace": space.name}}
    api: Any = client.AuthorizationV1Api(opened)
    rules = api.create_self_subject_rules_review(review).status.resource_rules
    opened.close()  # type: ignore[no-untyped-call]
    return {
        (group, resource, verb)
        for rule in rules
        for group in rule.api_groups
        for resource in rule.resources
        for verb in rule.verbs
        if group not in _EVERYBODYS
    }


def flat(rules: tuple[Rule, ...]) -> set[tuple[str, str, str]]:
    return {
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_the_accounts_of_these_tests_may_do_what_is_documented_and_no_more() -> None:
    with namespace() as space:
        assert rights(space, SERVICE) == flat(SERVICE_RULES)
        assert rights(space, WORKER) == flat(WORKER_RULES)
