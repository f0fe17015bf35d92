"""Runs on a real cluster: stores that pods can reach, secrets by reference, our own image."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from storage.settings import StorageSettings
from storage.stores import Stores, open_stores
from tests.real import server
from tests.storage.elasticsearch.server import own_place
from tests.storage.s3.bucket import own_bucket
from tests.workflows.argo.cluster import Space, namespace
from workflows.argo.launcher import ArgoLauncher
from workflows.argo.pods import pods_of
from workflows.argo.settings import ArgoSettings

IMAGE = "LUPUS_TEST_IMAGE"
MEMORY = "900Mi"


def image() -> str:
    """The project's own image, in the cluster already."""
    return server(IMAGE)


@dataclass(frozen=True)
class Stack:
    """A namespace, stores, and settings that make pods of both."""

    space: Space
    storage: StorageSettings
    settings: ArgoSettings
    stores: Stores

    def launcher(self, **changes: Any) -> ArgoLauncher:
        """A launcher with exactly the rights of the service's account."""
        settings = replace(self.settings, **changes)
        return ArgoLauncher(self.stores.objects, self.space.cluster(), settings)


@contextmanager
def stack(folder: Path, **environment: str) -> Iterator[Stack]:
    """Everything for one test, removed at its end; ``environment`` is for all pods."""
    tag = image()
    (folder / "scratch").mkdir(parents=True, exist_ok=True)
    with namespace() as space, own_bucket() as bucket, own_place() as index:
        storage = StorageSettings(
            archive=f"{bucket.url}/archive",
            index=index.url,
            objects=f"{bucket.url}/objects",
            scratch=folder / "scratch",
            s3=bucket.s3,
            elasticsearch=index.settings,
        )
        space.secret("lupus-objects", {"secret": bucket.s3.secret_access_key.read()})
        settings = ArgoSettings(
            image=tag,
            namespace=space.name,
            pods=pods_of(pod_file()),
            environment=told(storage, environment),
            retry_seconds=1,
            poll_seconds=0.5,
            stop_grace_seconds=20.0,
        )
        with open_stores(storage) as stores:
            yield Stack(space, storage, settings, stores)


def pod_file(detect_memory: str = MEMORY) -> dict[str, Any]:
    """What an operator would write."""
    secret = {"secretKeyRef": {"name": "lupus-objects", "key": "secret"}}
    env = [{"name": "LUPUS_S3_SECRET_ACCESS_KEY", "valueFrom": secret}]
    requests = {"cpu": "50m", "memory": "64Mi"}
    pod = {"env": env, "resources": {"requests": requests, "limits": {"cpu": "1"}}}
    detect = {"resources": {"requests": requests, "limits": {"cpu": 1, "memory": detect_memory}}}
    return {"plan": pod, "detect": {**pod, **detect}, "publish": pod}


def told(storage: StorageSettings, more: Mapping[str, str]) -> dict[Any, Mapping[str, str]]:
    """The variables of each kind, as the service makes them."""
    objects = {
        "LUPUS_OBJECTS": storage.objects,
        "LUPUS_S3_ENDPOINT": storage.s3.endpoint,
        "LUPUS_S3_REGION": storage.s3.region,
        "LUPUS_S3_ACCESS_KEY_ID": storage.s3.access_key_id,
        **more,
    }
    stores = {
        "LUPUS_ARCHIVE": storage.archive,
        "LUPUS_INDEX": storage.index,
        "LUPUS_INDEX_PREFIX": storage.elasticsearch.prefix,
        "LUPUS_INDEX_REPLICAS": str(storage.elasticsearch.replicas),
    }
    return {"plan": objects | stores, "detect": objects, "publish": objects | stores}
