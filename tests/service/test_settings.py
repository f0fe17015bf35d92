"""Settings: embedded by default, impossible ones refused with what to change."""

import errno
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from service.api.problems import known
from service.app import open_resources
from service.cli import main
from service.errors import SettingsError
from service.generated_docs import stale_pages
from service.settings import Settings, load_settings, misspelt
from storage.connections import Connection
from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"LUPUS_{name.upper()}", raising=False)
    monkeypatch.setenv("LUPUS_DATA", str(tmp_path))


HOSTS = {"egress_allow_hosts": "a.com"}
PROXY = {"egress_proxy": "http://proxy:3128", **HOSTS}
FAR = {"archive": "hive://host:10000/db", "index": "https://host:9200", "objects": "s3://b/p"}


def test_every_default_lies_below_one_folder(tmp_path: Path) -> None:
    settings = load_settings()
    assert settings.database_url == f"sqlite:///{tmp_path}/lupus.db"
    assert settings.stores.archive == f"file://{tmp_path}/archive"
    assert settings.stores.index == f"sqlite:///{tmp_path}/index.db"
    assert settings.stores.objects == f"file://{tmp_path}/objects"
    assert settings.steps.executor == "local"
    assert settings.creates_sources
    assert not load_settings(host="10.0.0.1").creates_sources


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        load_settings().port = 1


def test_every_field_has_a_help_text() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"database": "postgresql://host/db"}, "LUPUS_DATABASE begins with postgresql"),
        ({"archive": "hdfs://host/db"}, "file:///folder"),
        ({"archive": "hive://"}, "LUPUS_ARCHIVE names no host: write hive://host:10000/database"),
        ({"index": "opensearch://host:9200"}, "LUPUS_INDEX begins with opensearch"),
        ({"index": "https://me:password@host"}, "secrets never stand in URLs"),
        ({"objects": "gopher://bucket"}, "LUPUS_OBJECTS begins with gopher"),
        ({"database": "postgresql+psycopg://me:password@host/db"}, "secrets never stand in URLs"),
        ({"objects": "objects"}, "no scheme"),
        ({"archive": "file://user:password@host/x"}, "secrets never stand in URLs"),
        ({"archive": "file://host/x"}, "names no file or folder"),
        ({"executor": "nomad"}, "'local', 'argo' or 'auto'"),
        ({"executor": "argo"}, "LUPUS_OBJECTS is on this machine (file://): set it to s3://"),
        ({"executor": "auto", "objects": "s3://b"}, "LUPUS_ARCHIVE is on this machine"),
        ({**FAR, "executor": "argo"}, "LUPUS_EXECUTOR needs LUPUS_IMAGE"),
        ({**FAR, "executor": "argo", "image": "lupus"}, "a tag that is not latest"),
        ({**FAR, "executor": "auto", "image": "host:5000/lupus:latest"}, "not latest"),
        ({"argo_url": "argo.example.com"}, "LUPUS_ARGO_URL must begin with http"),
        ({"database": "sqlite:////x.db", "index": "sqlite:////x.db"}, "give the index its own"),
        ({"archive": "file:///x", "objects": "file:///x/"}, "the same folder"),
        ({"public_url": "lupus.example.com"}, "https://"),
        ({"secret_key": "short"}, "32 characters"),
        ({"admin_token": "x" * 40}, "LUPUS_ADMIN_TOKEN must be lps_"),
        ({"admin_token": "lps_short"}, "LUPUS_ADMIN_TOKEN must be lps_"),
        ({"ca_bundle": "/nowhere.pem"}, "there is no file /nowhere.pem"),
        ({"egress_allow": "10.0.0.0/33"}, "LUPUS_EGRESS_ALLOW"),
        ({"egress_proxy": "http://proxy:3128"}, "needs LUPUS_EGRESS_ALLOW_HOSTS"),
        ({"egress_proxy": "http://u:password@proxy:1", **HOSTS}, "secrets never stand in URLs"),
        ({"egress_proxy": "socks5://proxy:1080", **HOSTS}, "begins with socks5"),
        ({"egress_proxy": "proxy:3128", **HOSTS}, "LUPUS_EGRESS_PROXY begins with no scheme"),
        ({"egress_proxy": "http://:3128", **HOSTS}, "names no host"),
        (HOSTS, "need LUPUS_EGRESS_PROXY, such as http://proxy:3128"),
        ({"egress_proxy_user": "me"}, "need LUPUS_EGRESS_PROXY"),
        ({"egress_proxy_password": "secret"}, "need LUPUS_EGRESS_PROXY"),
        ({**PROXY, "egress_proxy_password": "secret"}, "needs LUPUS_EGRESS_PROXY_USER"),
        ({**PROXY, "egress_allow_hosts": "*"}, "LUPUS_EGRESS_ALLOW_HOSTS: * is no name"),
        ({**PROXY, "egress_allow_hosts": "a.com,10.0.0.1"}, "10.0.0.1 is no name"),
        ({**PROXY, "egress_allow_hosts": "a.*.com"}, "a.*.com is no name"),
        ({**PROXY, "egress_allow_hosts": "https://a.com"}, "https://a.com is no name"),
        ({**PROXY, "egress_allow_hosts": "A.com"}, "no name in lower case"),
        ({"port": 70_000}, "LUPUS_PORT"),
        ({"log_format": "xml"}, "LUPUS_LOG_FORMAT"),
        ({"connections_file": "/nowhere.toml"}, "LUPUS_CONNECTIONS_FILE: No such file"),
    ],
)
def test_what_is_impossible_is_refused_with_the_setting_to_change(
    given: dict[str, Any], said: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(**given)
    assert said in str(refused.value)
    assert "password" not in str(refused.value).replace("user or password", "")


def test_a_proxy_serves_the_names_of_its_list_and_those_below_a_star() -> None:
    settings = load_settings(egress_proxy="http://p:1", egress_allow_hosts="a.com, *.b.com")
    assert settings.egress.proxy is not None
    served = settings.egress.proxy.serves
    assert all(served(host) for host in ("a.com", "x.b.com", "x.y.b.com"))
    assert not any(served(host) for host in ("x.a.com", "b.com", "xb.com", "a.com.evil", "com"))
    assert load_settings().egress.proxy is None


def test_lists_are_written_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUPUS_EGRESS_ALLOW", "10.20.0.0/16, fd00::/8")
    assert [str(network) for network in load_settings().egress_allow] == [
        "10.20.0.0/16",
        "fd00::/8",
    ]


def test_a_secret_has_a_file_twin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("k" * 40 + "\n")
    monkeypatch.setenv("LUPUS_SECRET_KEY_FILE", str(file))
    settings = load_settings()
    assert settings.secret_key is not None
    assert settings.secret_key.get_secret_value() == "k" * 40
    assert "kkkk" not in repr(settings)
    monkeypatch.setenv("LUPUS_SECRET_KEY", "x" * 40)
    with pytest.raises(SettingsError, match="both set: keep one"):
        load_settings()
    monkeypatch.delenv("LUPUS_SECRET_KEY")
    file.unlink()
    with pytest.raises(SettingsError, match="LUPUS_SECRET_KEY_FILE: No such file"):
        load_settings()


def test_connections_are_named_folders(tmp_path: Path) -> None:
    file = tmp_path / "connections.toml"
    file.write_text('[warehouse]\nurl = "file:///data/warehouse"\n')
    settings = load_settings(connections_file=file)
    assert settings.stores.connections == (Connection("warehouse", "file:///data/warehouse"),)
    file.write_text('[warehouse]\nurl = "ftp://host"\n')
    with pytest.raises(SettingsError, match=r"FILE: the \[warehouse\] URL begins with ftp"):
        load_settings(connections_file=file)
    file.write_text('[warehouse]\nurl = "file:///x"\npassword = "p"\n')
    with pytest.raises(SettingsError, match="'password' is not known"):
        load_settings(connections_file=file)
    file.write_text("[warehouse\n")
    with pytest.raises(SettingsError, match="is not TOML"):
        load_settings(connections_file=file)


def test_a_misspelt_setting_is_noticed_with_the_nearest_one() -> None:
    environment = {"LUPUS_DATABSE": "x", "LUPUS_URL": "y", "LUPUS_TEST_DATA": "z", "PATH": ""}
    assert misspelt(environment) == {"LUPUS_DATABSE": "LUPUS_DATABASE"}


def test_the_command_line_says_the_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LUPUS_EXECUTOR", "argo")
    assert main(["migrate"]) == 78
    assert "LUPUS_EXECUTOR needs stores that pods can reach" in capsys.readouterr().err


def test_generated_pages_are_current() -> None:
    assert stale_pages(ROOT / "docs") == [], "run: lupus-server docs"


def test_a_data_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = load_settings(data=tmp_path / "file" / "data")
    with pytest.raises(SettingsError, match="cannot be made: Not a directory; set LUPUS_DATA"):
        open_resources(settings).__enter__()


def test_a_full_disk_is_no_defect() -> None:
    assert known(OSError(errno.ENOSPC, "No space left on device")) == (507, "store-full")
    assert known(OSError(errno.EACCES, "Permission denied")) is None
