"""Which launcher the settings choose, and what pods are told of them."""

from pathlib import Path

import pytest

from service.errors import SettingsError
from service.launching import argo_settings, pod_environment
from service.settings import Settings, load_settings

FAR = {
    "archive": "hive://hive.example.com:10000/lupus",
    "index": "https://es.example.com:9200",
    "objects": "s3://bucket/prefix",
    "image": "registry.example.com/lupus-server:1.2.3",
    "executor": "argo",
    "s3_endpoint": "https://s3.example.com",
    "s3_access_key_id": "key-id",
    "elasticsearch_user": "lupus",
}
SECRETS = {
    "s3_secret_access_key": "hush-s3",
    "elasticsearch_password": "hush-es",
    "database_password": "hush-db",
    "secret_key": "hush" * 10,
}


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"LUPUS_{name.upper()}", raising=False)
    monkeypatch.setenv("LUPUS_DATA", str(tmp_path))


def test_pods_are_told_of_the_stores_and_of_no_secret() -> None:
    told = pod_environment(load_settings(**FAR, **SECRETS), "publish")
    assert told["LUPUS_ARCHIVE"] == FAR["archive"]
    assert told["LUPUS_INDEX"] == FAR["index"]
    assert told["LUPUS_OBJECTS"] == FAR["objects"]
    assert told["LUPUS_INDEX_PREFIX"] == "lupus"
    assert told["LUPUS_ELASTICSEARCH_USER"] == "lupus"
    assert told["LUPUS_CHUNK_SECONDS"] == "300.0"
    assert "hush" not in str(told)
    assert not [name for name in told if "DATABASE" in name or "SECRET" in name]


def test_detect_pods_are_told_of_the_object_store_only() -> None:
    told = pod_environment(load_settings(**FAR, **SECRETS), "detect")
    assert set(told) == {
        "LUPUS_OBJECTS",
        "LUPUS_CHUNK_SECONDS",
        "LUPUS_MAX_LABELS",
        "LUPUS_MAX_LABEL_LENGTH",
        "LUPUS_S3_ENDPOINT",
        "LUPUS_S3_REGION",
        "LUPUS_S3_ACCESS_KEY_ID",
    }


def test_settings_become_those_of_the_launcher(tmp_path: Path) -> None:
    file = tmp_path / "pods.yaml"
    file.write_text("detect: {resources: {limits: {cpu: 2}}}")
    found = argo_settings(
        load_settings(
            **FAR,
            argo_namespace="jobs",
            argo_pod_file=file,
            argo_ttl_success_hours=0.5,
            argo_url="https://argo.example.com/",
        )
    )
    assert (found.namespace, found.image) == ("jobs", FAR["image"])
    assert (found.ttl_success_seconds, found.ttl_failure_seconds) == (1800, 604_800)
    assert found.url == "https://argo.example.com"
    assert found.pod("detect").one("resources").limits["cpu"].root == "2"
    assert found.pod("plan").given == {}


def test_a_wrong_pod_file_is_refused_with_its_path(tmp_path: Path) -> None:
    file = tmp_path / "pods.yaml"
    file.write_text("detect: {resource: {}}")
    with pytest.raises(SettingsError, match=r"detect\.resource is unknown"):
        argo_settings(load_settings(**FAR, argo_pod_file=file))
