"""A namespace for an installation, and a pod in it that asks the service as others do."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import stream

from tests.helm.chart import CHART, helm
from tests.real import own_name
from tests.workflows.argo.cluster import Space, kubeconfig, until
from tests.workflows.argo.stack import image

RELEASE = "lupus"
TOKEN = "lps_" + "t" * 40
PATIENCE = "15m"  # of Helm, on a slow machine
_LOCKED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
_ASK = """
import json, sys, urllib.error, urllib.request
url, method, body, token = json.loads(sys.argv[1])
headers = {"content-type": "application/json"}
if token:
    headers["authorization"] = "Bearer " + token
data = None if body is None else json.dumps(body).encode()
try:
    answer = urllib.request.urlopen(
        urllib.request.Request(url, data, headers, method=method), timeout=120)
except urllib.error.HTTPError as error:
    answer = error
print(json.dumps([answer.status, answer.read().decode()]))
"""


@dataclass(frozen=True)
class Place:
    """A namespace without anything but a pod of ours."""

    space: Space

    @property
    def name(self) -> str:
        return self.space.name

    def execute(self, pod: str, *command: str) -> tuple[int, str]:
        """A command in a running pod: its exit code and all that it wrote."""
        with client.ApiClient() as own:  # `stream` changes the client that it is given
            core: Any = client.CoreV1Api(own)
            session: Any = stream(
                core.connect_get_namespaced_pod_exec,
                pod,
                self.name,
                command=list(command),
                stdout=True,
                stderr=True,
                _preload_content=False,
            )
            try:
                session.run_forever(timeout=600)
                return int(session.returncode or 0), str(session.read_all())
            finally:
                session.sock.shutdown()  # its own `close` leaves what the server has closed

    def ask(
        self, path: str, method: str = "GET", body: object = None, token: str = TOKEN
    ) -> tuple[int, Any]:
        """What the Service answers to a pod of the cluster."""
        given = json.dumps([f"http://{RELEASE}{path}", method, body, token])
        code, out = self.execute("client", "python", "-c", _ASK, given)
        assert code == 0, out
        status, text = json.loads(out)
        return status, json.loads(text)

    def done(self, path: str, method: str = "GET", body: object = None) -> Any:
        """The same when it must succeed."""
        status, answer = self.ask(path, method, body)
        assert 200 <= status < 300, (status, answer)
        return answer

    def helm(self, *words: str) -> str:
        answer = helm(*words, namespace=self.name)
        assert answer.code == 0, f"{answer.error}\n{answer.out}\n{self.look()}"
        return answer.out

    def install(self, verb: str, folder: Path, values: Mapping[str, Any], *words: str) -> str:
        """Install or upgrade with values, and wait until all of it is ready."""
        file = folder / "values.yaml"
        file.write_text(yaml.safe_dump(dict(values)))
        more = (*words, "--values", str(file), "--wait", "--timeout", PATIENCE)
        return self.helm(verb, RELEASE, str(CHART), *more)

    def pods(self, component: str) -> list[Any]:
        labels = f"app.kubernetes.io/instance={RELEASE},app.kubernetes.io/component={component}"
        found: list[Any] = self.space.core.list_namespaced_pod(
            self.name, label_selector=labels
        ).items
        return [pod for pod in found if pod.metadata.deletion_timestamp is None]

    def variable(self, component: str, name: str) -> str | None:
        """A variable of the newest pod of a component."""
        pods = sorted(self.pods(component), key=lambda pod: pod.metadata.creation_timestamp)
        env = {one.name: one.value for one in pods[-1].spec.containers[0].env}
        found: str | None = env.get(name)
        return found

    def left(self) -> list[str]:
        """What a release has left behind."""
        core, apps = self.space.core, client.AppsV1Api(self.space.admin)
        batch, network = (
            client.BatchV1Api(self.space.admin),
            client.NetworkingV1Api(self.space.admin),
        )
        rights = client.RbacAuthorizationV1Api(self.space.admin)
        policy = client.PolicyV1Api(self.space.admin)
        scaling = client.AutoscalingV2Api(self.space.admin)
        lists: list[Any] = [
            core.list_namespaced_pod, core.list_namespaced_service, core.list_namespaced_config_map,
            core.list_namespaced_service_account, core.list_namespaced_persistent_volume_claim,
            core.list_namespaced_secret, apps.list_namespaced_deployment,
            apps.list_namespaced_replica_set, batch.list_namespaced_job,
            network.list_namespaced_ingress, network.list_namespaced_network_policy,
            rights.list_namespaced_role, rights.list_namespaced_role_binding,
            policy.list_namespaced_pod_disruption_budget,
            scaling.list_namespaced_horizontal_pod_autoscaler,
        ]  # fmt: skip
        ours = {"app.kubernetes.io/managed-by": "Helm"}
        return [
            f"{one.__name__} {found.metadata.name}"
            for one in lists
            for found in one(self.name).items
            if ours.items() <= (found.metadata.labels or {}).items()
            or (found.metadata.labels or {}).get("owner") == "helm"
        ]

    def look(self) -> str:
        """What there is to see when something does not come up."""
        lines = []
        for pod in self.space.core.list_namespaced_pod(self.name).items:
            lines.append(f"{pod.metadata.name}: {pod.status.phase}")
            for state in pod.status.container_statuses or ():
                lines.append(str(state.state))
            try:
                log = self.space.core.read_namespaced_pod_log(
                    pod.metadata.name, self.name, tail_lines=20
                )
            except ApiException as error:
                log = str(error.reason)
            lines.append(log)
        return "\n".join(lines)


@contextmanager
def place() -> Iterator[Place]:
    """A new namespace with a client in it; all of it is gone at the end."""
    tag = image()
    config.load_kube_config(kubeconfig())  # type: ignore[no-untyped-call]
    admin = client.ApiClient()
    found = Place(Space(own_name("lupus-"), admin))
    core = found.space.core
    core.create_namespace({"metadata": {"name": found.name}})
    try:
        found.space.secret("lupus-admin", {"token": TOKEN})
        core.create_namespaced_pod(found.name, _client(tag))
        until(
            "the client",
            lambda: core.read_namespaced_pod("client", found.name).status.phase == "Running",
        )
        yield found
    finally:
        try:
            core.delete_namespace(found.name, grace_period_seconds=0)
        finally:
            admin.close()  # type: ignore[no-untyped-call]


def _client(tag: str) -> Any:
    container = {
        "name": "client",
        "image": tag,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sleep", "86400"],
        "securityContext": _LOCKED,
    }
    spec = {
        "containers": [container],
        "restartPolicy": "Never",
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 0,
    }
    return {"metadata": {"name": "client"}, "spec": spec}


@contextmanager
def volume(place_: Place) -> Iterator[str]:
    """A volume on the node for the claim of the release; its name is its storage class too."""
    name, folder = place_.name, f"/var/lib/{place_.name}"
    core = place_.space.core
    body = {
        "metadata": {"name": name},
        "spec": {
            "storageClassName": name,
            "capacity": {"storage": "100Gi"},
            "accessModes": ["ReadWriteOnce"],
            "hostPath": {"path": folder, "type": "DirectoryOrCreate"},
        },
    }
    core.create_persistent_volume(body)
    try:
        _as_root(place_, "prepare", "chown 10001:10001 /node/$FOLDER")
        yield name
    finally:
        core.delete_persistent_volume(name)
        _as_root(place_, "clean", "rm -rf /node/$FOLDER")


def _as_root(place_: Place, name: str, command: str) -> None:
    """What a storage driver would do on the node."""
    core = place_.space.core
    mounted = [
        {"name": "node", "mountPath": "/node"},
        *([{"name": "own", "mountPath": "/own"}] if name == "prepare" else ()),
    ]
    own = {"path": f"/var/lib/{place_.name}", "type": "DirectoryOrCreate"}
    volumes = [
        {"name": "node", "hostPath": {"path": "/var/lib"}},
        *([{"name": "own", "hostPath": own}] if name == "prepare" else ()),
    ]
    container = {
        "name": name,
        "image": image(),
        "command": ["sh", "-c", command],
        "env": [{"name": "FOLDER", "value": place_.name}],
        "securityContext": {"runAsUser": 0},
        "volumeMounts": mounted,
    }
    spec = {"containers": [container], "restartPolicy": "Never", "volumes": volumes}
    core.create_namespaced_pod(place_.name, {"metadata": {"name": name}, "spec": spec})
    ended = until(
        name,
        lambda: (
            core.read_namespaced_pod(name, place_.name).status.phase in ("Succeeded", "Failed")
            and core.read_namespaced_pod(name, place_.name)
        ),
    )
    assert ended.status.phase == "Succeeded", place_.look()


def detected(place_: Place, rule: str, seconds: float = 900) -> tuple[Any, list[Any]]:
    """Points with an event and a detection, all through the Service: the run, its anomalies."""
    source = f"/v1/sources/job.{rule}"
    place_.done(source, "PUT", {"kind": "managed"})
    points = [
        {"metric": "ndcg", "labels": {"region": region}, "time": f"2026-0{1 + day // 28}-"
         f"{1 + day % 28:02}T00:00:00Z", "value": 0.1 if (day, region) == (80, "jp") else 0.5}
        for day in range(84) for region in ("jp", "tw")
    ]  # fmt: skip
    place_.done(f"{source}/points", "POST", {"points": points})
    body = {
        "rule": rule,
        "source": f"job.{rule}",
        "metric": "ndcg",
        "range": {"start": "2026-03-01T00:00:00Z", "end": "2026-03-29T00:00:00Z"},
        "detector": {"type": "threshold", "lower": 0.3},
    }
    run = place_.done("/v1/detections", "POST", body)["id"]
    give_up = time.monotonic() + seconds
    while True:
        page = place_.done(f"/v1/detections/{run}?wait=30s")
        if page["state"] in ("succeeded", "partial", "failed", "cancelled"):
            break
        assert time.monotonic() < give_up, (page, place_.look())
    return page, place_.done(f"/v1/anomalies?source=job.{rule}")["items"]
