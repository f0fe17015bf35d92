"""The rights that Argo needs here, as data: the chart grants them, doctor asks for them.

The service makes and watches workflows in its own namespace. Pods of a workflow report their
outcome to Argo's controller, and may do nothing else.
"""

from collections.abc import Mapping, Sequence

Rule = Mapping[str, Sequence[str]]

ARGO_GROUP = "argoproj.io"

SERVICE_RULES: tuple[Rule, ...] = (
    {
        "apiGroups": [ARGO_GROUP],
        "resources": ["workflows"],
        "verbs": ["create", "get", "list", "watch", "patch", "delete"],
    },
    {"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get", "list"]},
)

WORKER_RULES: tuple[Rule, ...] = (
    {
        "apiGroups": [ARGO_GROUP],
        "resources": ["workflowtaskresults"],
        "verbs": ["create", "patch"],
    },
)
