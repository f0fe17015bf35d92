"""Both ways of use, installed on a real cluster: from the first request to the last trace."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import make_url

from tests.helm.chart import CHART
from tests.helm.installed import RELEASE, TOKEN, Place, detected, place, volume
from tests.service.databases import empty
from tests.storage.elasticsearch.server import SECURED, own_place
from tests.storage.s3.bucket import Bucket, own_bucket
from tests.workflows.argo.cluster import until
from tests.workflows.argo.stack import image

pytestmark = [pytest.mark.real, pytest.mark.timeout(2400)]
SMALL = {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "2Gi"}}
POD = {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "900Mi"}}


def own_image() -> dict[str, str]:
    repository, _, tag = image().rpartition(":")
    return {"repository": repository, "tag": tag}


def found(anomalies: list[Any]) -> list[tuple[str, str]]:
    return [(one["labels"]["region"], one["time"][:10]) for one in anomalies]


def test_one_pod_with_everything_inside(tmp_path: Path) -> None:
    with place() as there, volume(there) as storage_class:
        values: dict[str, Any] = {
            "image": own_image(),
            "service": {"resources": SMALL},
            "persistence": {"size": "10Gi", "storageClass": storage_class, "keep": False},
        }
        embedded = ("--values", str(CHART / "values-embedded.yaml"))
        notes = there.install("install", tmp_path, values, *embedded)
        assert "token create" in notes

        assert there.ask("/v1/detectors", token="")[0] == 401
        assert there.ask("/v1/detectors", token="lps_" + "x" * 40)[0] == 401
        page, anomalies = detected(there, "daily")
        assert page["state"] == "succeeded", page
        assert found(anomalies) == [("jp", "2026-03-25")]

        pod = there.pods("service")[0].metadata.name
        code, token = there.execute(
            pod, "lupus-server", "token", "create", "--name", "j", "--source", "job.*"
        )
        assert code == 0, token
        narrow = token.split()[0]
        assert there.ask("/v1/sources", token=narrow)[0] == 200
        assert there.ask("/v1/tokens", token=narrow)[0] == 403

        there.helm("test", RELEASE)

        changed = values | {"settings": {"max_series": 1000000}}
        there.install("upgrade", tmp_path, changed, *embedded)
        assert there.variable("service", "LUPUS_MAX_SERIES") == "1000000"
        assert there.pods("service")[0].metadata.name != pod
        kept = there.done("/v1/anomalies?source=job.daily")["items"]
        assert found(kept) == [("jp", "2026-03-25")], "the volume outlives the pod"

        uninstalled(there)


def test_production(tmp_path: Path) -> None:
    with (
        place() as there,
        empty("postgresql", tmp_path) as database,
        own_bucket() as bucket,
        own_place(SECURED) as index,
    ):
        key = index.with_key().settings.api_key.read()
        values = production(there, database, bucket, index.url, index.settings.prefix, key)
        base = ("--values", str(CHART / "values-production.yaml"))
        there.install("install", tmp_path, values, *base)
        assert len(there.pods("service")) == 2
        assert len(there.pods("worker")) == 1

        page, anomalies = detected(there, "nightly")
        assert page["state"] == "succeeded", (page, there.look())
        assert found(anomalies) == [("jp", "2026-03-25")]
        runs = {one["metadata"]["labels"]["lupus/run"]: one for one in there.space.workflows()}
        workflow = runs[page["id"]]
        assert workflow["spec"]["serviceAccountName"] == "lupus-worker"
        assert {one["image"] for one in containers(workflow)} == {image()}
        until("the end of the workflow", lambda: ended(there, page["id"]))

        there.helm("test", RELEASE)
        before = {pod.metadata.name for pod in there.pods("service")}
        values["argo"]["pods"]["detect"]["annotations"] = {"example.com/changed": "yes"}
        there.install("upgrade", tmp_path, values, *base)
        until("new pods", lambda: not before & {one.metadata.name for one in there.pods("service")})
        assert found(there.done("/v1/anomalies?source=job.nightly")["items"]) == found(anomalies)

        uninstalled(there)


def containers(workflow: Any) -> list[Any]:
    return [one["container"] for one in workflow["spec"]["templates"] if "container" in one]


def ended(there: Place, run: str) -> bool:
    phases = {
        one["metadata"]["labels"]["lupus/run"]: one.get("status", {}).get("phase")
        for one in there.space.workflows()
    }
    assert phases[run] in ("Pending", "Running", "Succeeded", None), phases
    return bool(phases[run] == "Succeeded")


def production(
    there: Place, database: str, bucket: Bucket, index: str, prefix: str, key: str
) -> dict[str, Any]:
    """values-production.yaml with the test's own servers; its secrets are made."""
    url = make_url(database)
    plain = url.set(password=None).render_as_string()
    there.space.secret("lupus", {"admin-token": TOKEN, "secret-key": "k" * 40})
    there.space.secret("lupus-database", {"password": url.password or "unused"})
    there.space.secret("lupus-objects", {"secret-access-key": bucket.s3.secret_access_key.read()})
    there.space.secret("lupus-index", {"api-key": key})
    settings = {
        "database": plain,
        "archive": f"{bucket.url}/archive",
        "index": index,
        "index_prefix": prefix,
        "index_replicas": 0,
        "objects": f"{bucket.url}/objects",
        "s3_endpoint": bucket.s3.endpoint,
        "s3_region": bucket.s3.region,
        "s3_access_key_id": bucket.s3.access_key_id,
        "argo_url": "",
        "drain_seconds": 0,
    }
    pods: dict[str, Any] = {kind: {"resources": POD} for kind in ("plan", "detect", "publish")}
    return {
        "image": own_image(),
        "settings": settings,
        "connections": None,
        "caBundle": None,
        "files": {"hive-password": None},
        "service": {"replicas": 2, "resources": SMALL},
        "worker": {"replicas": 1, "resources": SMALL},
        "autoscaling": {"enabled": False},
        "argo": {"pods": pods},
    }


def uninstalled(there: Place) -> None:
    """Nothing of the release is left; what we made is."""
    assert there.left(), "else this would always pass"
    there.helm("uninstall", RELEASE, "--wait", "--timeout", "5m")
    until("an empty namespace", lambda: not there.left())
    assert yaml.safe_load(there.helm("list", "--output", "yaml")) in ([], None)
