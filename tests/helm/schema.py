"""helm/lupus/values.schema.json, made of the settings and of the pod file's words.

Nothing unknown is accepted anywhere: a misspelt value would else be a default in silence.
"""

import json
from collections.abc import Mapping
from typing import Any, get_args

from service.settings import Settings, secret_fields
from workflows.argo import pods

Schema = dict[str, Any]
# What the chart itself decides.
CHART_OWNED = frozenset({
    "data", "host", "port", "worker", "scratch", "image", "argo_namespace", "argo_service_account",
    "argo_pod_file", "ca_bundle", "connections_file", "local_admin", "metrics_port", "metrics_host",
})  # fmt: skip
_TYPES = {"string", "integer", "number", "boolean"}

TEXT: Schema = {"type": "string"}
NAME: Schema = {"type": "string", "minLength": 1}
FLAG: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer", "minimum": 0}
SOME: Schema = {"type": "integer", "minimum": 1}
TEXTS: Schema = {"type": "object", "additionalProperties": TEXT}
QUANTITY: Schema = {"type": ["string", "number"]}


def thing(required: tuple[str, ...] = (), /, **properties: Any) -> Schema:
    """An object with exactly these properties."""
    found: Schema = {"type": "object", "additionalProperties": False, "properties": properties}
    return found | ({"required": list(required)} if required else {})


def several(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def one_of(*names: str) -> Schema:
    return {"enum": list(names)}


def defined(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def schema() -> Schema:
    """The whole document."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of the chart lupus",
        **_values(),
        "$defs": _definitions(),
    }


def text() -> str:
    return json.dumps(schema(), indent=1) + "\n"


def _values() -> Schema:
    account = {"create": FLAG, "name": TEXT, "annotations": TEXTS}
    files = {"type": "object", "additionalProperties": defined("file")}
    kinds = {kind: defined("argoPod") for kind in get_args(pods.PodKind)}
    return thing(
        **{"global": {"type": "object"}},  # Helm itself adds it
        image=thing(
            repository=NAME,
            tag={"type": "string", "not": {"const": "latest"}},
            digest={"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
            pullPolicy=one_of("IfNotPresent", "Always", "Never"),
            pullSecrets=several(NAME),
        ),
        nameOverride=TEXT,
        fullnameOverride=TEXT,
        settings=thing(**_settings()),
        secrets=thing(**{name: defined("secret") for name in secret_fields()}),
        connections=defined("file"),
        files=files | {"propertyNames": {"pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$"}},
        caBundle=defined("file"),
        service=_workload(
            replicas=SOME,
            type=one_of("ClusterIP", "NodePort", "LoadBalancer"),
            port={"type": "integer", "minimum": 1, "maximum": 65535},
            annotations=TEXTS,
        ),
        worker=_workload(enabled=FLAG, replicas=COUNT),
        persistence=thing(
            enabled=FLAG, size=QUANTITY, storageClass=TEXT, existingClaim=TEXT, keep=FLAG
        ),
        migration=thing(enabled=FLAG, deadlineSeconds=SOME, resources=defined("resources")),
        ingress=thing(
            enabled=FLAG,
            className=TEXT,
            annotations=TEXTS,
            hosts=several(NAME),
            tls=several(thing(("secretName", "hosts"), secretName=NAME, hosts=several(NAME))),
        ),
        autoscaling=thing(
            enabled=FLAG, minReplicas=SOME, maxReplicas=SOME, targetCPUUtilizationPercentage=SOME
        ),
        podDisruptionBudget=thing(enabled=FLAG),
        topologySpread=thing(
            enabled=FLAG,
            topologyKey=NAME,
            whenUnsatisfiable=one_of("ScheduleAnyway", "DoNotSchedule"),
        ),
        networkPolicy=thing(
            enabled=FLAG,
            ingressFrom=several(defined("peer")),
            egress=several(
                thing(to=several(defined("peer")), ports=several(defined("policyPort")))
            ),
        ),
        serviceMonitor=thing(
            enabled=FLAG, interval=NAME, labels=TEXTS, token=defined("secret")
        ),
        prometheusRule=thing(enabled=FLAG, labels=TEXTS),
        dashboard=thing(enabled=FLAG, labels=TEXTS),
        serviceAccount=thing(**account),
        argo=thing(
            namespace=TEXT, serviceAccount=thing(**account | {"name": NAME}), pods=thing(**kinds)
        ),
    )  # fmt: skip


def _workload(**own: Schema) -> Schema:
    return thing(
        **own,
        resources=defined("resources"),
        terminationGracePeriodSeconds=COUNT,
        podAnnotations=TEXTS,
        podLabels=TEXTS,
        nodeSelector=TEXTS,
        tolerations=several(defined("toleration")),
        affinity=defined("affinity"),
        priorityClassName=TEXT,
        extraEnv=several(defined("variable")),
        extraVolumes=several(defined("volume")),
        extraVolumeMounts=several(defined("mount")),
    )


def _settings() -> Mapping[str, Schema]:
    """Each setting of docs/settings.md that is neither a secret nor the chart's own."""
    fields = Settings.model_json_schema()["properties"]
    skipped = {*secret_fields(), *CHART_OWNED}
    return {name: _setting(field) for name, field in fields.items() if name not in skipped}


def _setting(field: Mapping[str, Any]) -> Schema:
    kinds = [kind for kind in field.get("anyOf", [field]) if kind.get("type") != "null"]
    kind = kinds[0]
    found: Schema = {"description": field.get("description", "").replace("`", "'")}
    if kind.get("type") == "array":
        return found | several(TEXT)
    assert kind.get("type") in _TYPES, field
    kept = ("type", "enum", "pattern", "minimum", "maximum", "exclusiveMinimum")
    return found | {word: kind[word] for word in kept if word in kind}


def _definitions() -> Mapping[str, Schema]:
    """Words of Kubernetes, as far as the chart takes them."""
    reference = thing(("name", "key"), name=NAME, key=NAME, optional=FLAG)
    expression = thing(
        ("key", "operator"), key=NAME, operator=NAME, values=several(TEXT)
    )  # fmt: skip
    selector = thing(matchLabels=TEXTS, matchExpressions=several(expression))
    node_term = thing(matchExpressions=several(expression), matchFields=several(expression))
    pod_term = thing(
        ("topologyKey",),
        topologyKey=NAME,
        labelSelector=selector,
        namespaces=several(NAME),
        namespaceSelector=selector,
    )
    return {
        "secret": _given(thing(secret=NAME, key=NAME), "secret"),
        "file": _given(thing(secret=NAME, configMap=NAME, key=NAME), "secret", "configMap"),
        "resources": thing(
            requests={"type": "object", "additionalProperties": QUANTITY},
            limits={"type": "object", "additionalProperties": QUANTITY},
        ),
        "toleration": thing(
            key=TEXT,
            operator=one_of("Exists", "Equal"),
            value=TEXT,
            effect=one_of("NoSchedule", "PreferNoSchedule", "NoExecute", ""),
            tolerationSeconds={"type": "integer"},
        ),
        "affinity": thing(
            nodeAffinity=thing(
                requiredDuringSchedulingIgnoredDuringExecution=thing(
                    ("nodeSelectorTerms",), nodeSelectorTerms=several(node_term)
                ),
                preferredDuringSchedulingIgnoredDuringExecution=several(
                    thing(("weight", "preference"), weight=SOME, preference=node_term)
                ),
            ),
            podAffinity=_pod_affinity(pod_term),
            podAntiAffinity=_pod_affinity(pod_term),
        ),
        "variable": thing(
            ("name",),
            name=NAME,
            value=TEXT,
            valueFrom=thing(
                secretKeyRef=reference,
                configMapKeyRef=reference,
                fieldRef=thing(("fieldPath",), fieldPath=NAME, apiVersion=TEXT),
                resourceFieldRef=thing(
                    ("resource",), resource=NAME, containerName=TEXT, divisor=QUANTITY
                ),
            ),
        ),
        "volume": _volume(),
        "mount": thing(
            ("name", "mountPath"), name=NAME, mountPath=NAME, subPath=TEXT, readOnly=FLAG
        ),
        "peer": thing(
            podSelector=selector,
            namespaceSelector=selector,
            ipBlock={**thing(("cidr",), cidr=NAME, **{"except": several(NAME)})},
        ),
        "policyPort": thing(
            port={"type": ["integer", "string"]}, endPort=SOME, protocol=one_of("TCP", "UDP")
        ),
        "argoPod": _argo_pod(),
    }


def _given(shape: Schema, *origins: str) -> Schema:
    """Nothing (null takes back what another values file says), or one origin and the key in it."""
    wanted = [{"required": [origin, "key"], "maxProperties": 2} for origin in origins]
    return {"anyOf": [{"type": "null"}, {**shape, "oneOf": [{"maxProperties": 0}, *wanted]}]}


def _pod_affinity(term: Schema) -> Schema:
    return thing(
        requiredDuringSchedulingIgnoredDuringExecution=several(term),
        preferredDuringSchedulingIgnoredDuringExecution=several(
            thing(("weight", "podAffinityTerm"), weight=SOME, podAffinityTerm=term)
        ),
    )


def _volume() -> Schema:
    items = several(thing(("key", "path"), key=NAME, path=NAME, mode=COUNT))
    secret = {"items": items, "optional": FLAG}
    token = thing(("path",), path=NAME, audience=TEXT, expirationSeconds=SOME)
    projected = thing(
        secret=thing(name=NAME, **secret),
        configMap=thing(name=NAME, **secret),
        serviceAccountToken=token,
    )
    return thing(
        ("name",),
        name=NAME,
        secret=thing(secretName=NAME, defaultMode=COUNT, **secret),
        configMap=thing(name=NAME, defaultMode=COUNT, **secret),
        emptyDir=thing(medium=TEXT, sizeLimit=QUANTITY),
        persistentVolumeClaim=thing(("claimName",), claimName=NAME, readOnly=FLAG),
        csi=thing(("driver",), driver=NAME, readOnly=FLAG, volumeAttributes=TEXTS),
        projected=thing(defaultMode=COUNT, sources=several(projected)),
    )


def _argo_pod() -> Schema:
    """The words of the pod file; what is below them is checked where the file is read."""
    own = {
        "resources": defined("resources"),
        "env": several(defined("variable")),
        "envFrom": several(
            thing(
                prefix=TEXT,
                secretRef=thing(name=NAME, optional=FLAG),
                configMapRef=thing(name=NAME, optional=FLAG),
            )
        ),
        "volumes": several(defined("volume")),
        "volumeMounts": several(defined("mount")),
        "nodeSelector": TEXTS,
        "tolerations": several(defined("toleration")),
        "affinity": defined("affinity"),
        "imagePullSecrets": several(thing(("name",), name=NAME)),
        "priorityClassName": TEXT,
        "serviceAccountName": TEXT,
        "annotations": TEXTS,
        "labels": TEXTS,
        "podSecurityContext": _security(fsGroup=COUNT, supplementalGroups=several(COUNT)),
        "securityContext": _security(
            allowPrivilegeEscalation=FLAG,
            readOnlyRootFilesystem=FLAG,
            capabilities=thing(drop=several(NAME), add=several(NAME)),
        ),
    }
    assert set(own) == set(pods._KEYS)
    return thing(**own)


def _security(**own: Schema) -> Schema:
    return thing(
        runAsNonRoot=FLAG,
        runAsUser=COUNT,
        runAsGroup=COUNT,
        seccompProfile=thing(("type",), type=NAME, localhostProfile=TEXT),
        **own,
    )
