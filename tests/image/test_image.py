"""The project's image in a locked-down pod of a real cluster: what is in it, and that it works."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kubernetes import client

from tests.helm.installed import Place, place
from tests.image.conftest import FIGURE
from tests.workflows.argo.cluster import until
from tests.workflows.argo.stack import image

pytestmark = [pytest.mark.real, pytest.mark.timeout(1200)]
POD = "locked"
COMPILERS = (
    "gcc",
    "g++",
    "cc",
    "c++",
    "clang",
    "make",
    "cmake",
    "ld",
    "as",
    "cargo",
    "rustc",
    "go",
)

DISTRIBUTIONS = """
import importlib.metadata as m, json, pathlib
from packaging.requirements import Requirement
found = {d.name.lower().replace("_", "-"): d for d in m.distributions()}
missing = []
for name, d in found.items():
    for text in d.requires or ():
        r = Requirement(text)
        if r.marker and not r.marker.evaluate({"extra": ""}):
            continue
        other = found.get(r.name.lower().replace("_", "-"))
        if other is None or not r.specifier.contains(other.version, prereleases=True):
            missing.append(name + " wants " + text)
licences = {}
for name, d in found.items():
    told = d.metadata
    words = [told.get("License-Expression") or "", (told.get("License") or "")[:200]]
    words += [c for c in told.get_all("Classifier") or () if c.startswith("License")]
    licences[name] = " ".join(w for w in words if w)
files = [str(f) for f in found["lupus-server"].files or () if "LICENSE" in str(f)]
print(json.dumps({"missing": missing, "licences": licences, "files": files}))
"""
# Files whose name or content does not belong there; builders leave empty ones where they mounted.
SECRETS = r"""
find / -xdev -size +0 \( -name .git -o -name .env -o -name pip.conf -o -name .netrc \
  -o -name id_rsa -o -name .pypirc -o -name uv.toml \) -not -path '/proc/*' 2>/dev/null
grep -rlE 'lps_[A-Za-z0-9_-]{30}|BEGIN [A-Z ]*PRIVATE KEY|index-url' /etc /opt/lupus-server /root \
  /home 2>/dev/null
true
"""
# One import and one call of each kind in a fresh process: nothing may be compiled.
KERNELS = """
import json, time
began = time.monotonic()
import numba.core.compiler as compiler
compiled = []
whole = compiler.compile_extra
def seen(context, target, function, *rest, **more):
    compiled.append(function.__qualname__)
    return whole(context, target, function, *rest, **more)
compiler.compile_extra = seen
from detectors.precompile import precompile
precompile()
print(json.dumps({"compiled": compiled, "seconds": time.monotonic() - began}))
"""
PROPHET = """
import pandas as pd, numpy as np
from prophet import Prophet
days = pd.date_range("2026-01-01", periods=120)
model = Prophet(yearly_seasonality=False, daily_seasonality=False, uncertainty_samples=0)
model.fit(pd.DataFrame({"ds": days, "y": 10 + np.sin(np.arange(120))}))
assert abs(model.predict(pd.DataFrame({"ds": days}))["yhat"].mean() - 10) < 1
print("fitted")
"""
# A service and a detection inside of one container, ended politely.
SERVE = """
import datetime, json, math, os, signal, subprocess, time, urllib.request
began = time.monotonic()
environment = os.environ | {"LUPUS_HOST": "127.0.0.1", "LUPUS_PORT": "8701"}
service = subprocess.Popen(["lupus-server", "serve"], env=environment)
def ask(path, method="GET", body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request("http://127.0.0.1:8701" + path, data,
        {"content-type": "application/json"}, method=method)
    return json.load(urllib.request.urlopen(request, timeout=120))
while True:
    try:
        ask("/readyz")
        break
    except OSError:
        assert service.poll() is None, "the service ended"
        assert time.monotonic() - began < 300
        time.sleep(0.02)
ready = time.monotonic() - began
ask("/v1/sources/shop", "PUT", {"kind": "managed"})
def day(n):
    return (datetime.date(2026, 1, 1) + datetime.timedelta(n)).isoformat() + "T00:00:00Z"
values = [10 + n % 7 + math.sin(n * n) / 5 + (9 if n == 95 else 0) for n in range(100)]
points = [{"metric": "m", "time": day(n), "value": value} for n, value in enumerate(values)]
ask("/v1/sources/shop/points", "POST", {"points": points})
found = {}
for detector in ({"type": "prophet"}, {"type": "seasonal_esd", "period": 7}, {"type": "window"}):
    body = {"rule": detector["type"].replace("_", "-"), "source": "shop", "metric": "m",
            "detector": detector, "range": {"start": day(90), "end": day(100)}}
    run = ask("/v1/detections", "POST", body)["id"]
    while True:
        page = ask(f"/v1/detections/{run}?wait=30s")
        if page["state"] in ("succeeded", "partial", "failed"):
            break
        assert time.monotonic() - began < 900, page
    items = ask("/v1/anomalies?source=shop&rule=" + body["rule"])["items"]
    found[detector["type"]] = [page["state"], [one["time"] for one in items]]
service.send_signal(signal.SIGTERM)
code = service.wait(60)
print("RESULT " + json.dumps({"ready": ready, "code": code, "found": found, "day": day(95)}))
"""
STARTS = """
import json, subprocess, time
def timed(*command):
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True)
    return {"seconds": time.monotonic() - began, "code": done.returncode}
print(json.dumps({
    "help": timed("lupus-server", "--help"),
    "step": timed("lupus-server", "step", "detect", "run-that-is-not-there", "--chunk", "0"),
}))
"""


@pytest.fixture(scope="module")
def pod() -> Iterator[Place]:
    """A pod as strict as the chart's and the workflows' own."""
    with place() as there:
        locked = {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        container = {
            "name": "main",
            "image": image(),
            "imagePullPolicy": "IfNotPresent",
            "command": ["sleep", "86400"],
            "securityContext": locked,
            "volumeMounts": [
                {"name": "tmp", "mountPath": "/tmp"},
                {"name": "data", "mountPath": "/var/lib/lupus"},
            ],
        }
        memory: dict[str, Any] = {"emptyDir": {"medium": "Memory"}}
        spec = {
            "containers": [container],
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            # No user is named: the image's own must be one that is not root.
            "securityContext": {
                "runAsNonRoot": True,
                "fsGroup": 10001,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "volumes": [{"name": name, **memory} for name in ("tmp", "data")],
        }
        core = there.space.core
        core.create_namespaced_pod(there.name, {"metadata": {"name": POD}, "spec": spec})
        running = lambda: core.read_namespaced_pod(POD, there.name).status.phase == "Running"  # noqa: E731
        until("the pod", running)
        yield there


def shell(pod: Place, command: str) -> str:
    code, out = pod.execute(POD, "sh", "-c", command)
    assert code == 0, out
    return out


def python(pod: Place, program: str) -> Any:
    """What a program in the pod prints last, as JSON where it is."""
    code, out = pod.execute(POD, "python", "-c", program)
    assert code == 0, out[-3000:]
    last = out.strip().splitlines()[-1].removeprefix("RESULT ")
    return json.loads(last) if last.startswith("{") else last


def test_it_is_a_user_without_rights_on_a_root_that_is_read_only(pod: Place) -> None:
    assert shell(pod, "id -u; id -g; id -un").split() == ["10001", "10001", "lupus"]
    assert "Read-only" in shell(pod, "touch /opt/lupus-server/x 2>&1 || true")


def test_there_is_no_compiler(pod: Place) -> None:
    found = shell(pod, "; ".join(f"command -v {name} || true" for name in COMPILERS))
    assert found.strip() == ""


def test_only_the_application_is_in_it(pod: Place) -> None:
    assert shell(pod, SECRETS).strip() == ""
    listed = shell(pod, "ls /opt/lupus-server").split()
    assert {"detectors", "storage", "workflows", "service"} <= set(listed)
    assert not {"tests", "docs", "benchmarks", "helm"} & set(listed)
    assert shell(pod, "ls /build /work 2>/dev/null || true").strip() == ""


def test_every_distribution_has_what_it_needs_and_may_be_passed_on(pod: Place) -> None:
    told = python(pod, DISTRIBUTIONS)
    assert told["missing"] == []
    assert told["files"], "the licence of this project"
    assert len(told["licences"]) > 50
    forbidden = {
        name: words
        for name, words in told["licences"].items()
        if ("GPL" in words or "GNU" in words) and not ("LGPL" in words or "Lesser" in words)
    }
    assert forbidden == {}


def test_kernels_are_compiled_already(
    pod: Place, record_property: Callable[[str, object], None]
) -> None:
    told = python(pod, KERNELS)
    assert told["compiled"] == []
    record_property(FIGURE, f"every kernel called once after {told['seconds']:.1f} s")


def test_the_prophet_package_works(pod: Place) -> None:
    assert python(pod, PROPHET) == "fitted"


def test_it_serves_and_detects(pod: Place, record_property: Callable[[str, object], None]) -> None:
    told = python(pod, SERVE)
    for kind, (state, times) in told["found"].items():
        assert state == "succeeded", (kind, told)
        assert any(time.startswith(told["day"][:10]) for time in times), kind
    assert told["code"] == 0, "SIGTERM is an end without fault"
    record_property(FIGURE, f"serve is ready after {told['ready']:.1f} s")


def test_how_large_it_is_and_how_fast_it_starts(
    pod: Place, record_property: Callable[[str, object], None]
) -> None:
    told = python(pod, STARTS)
    assert told["help"]["code"] == 0
    assert told["step"]["code"] in (65, 66), "without a run there is nothing to do"
    size = int(shell(pod, "du -sxk / 2>/dev/null || true").split()[0]) / 1024
    nodes: Any = client.CoreV1Api(pod.space.admin).list_node().items
    packed = [
        one.size_bytes / 2**20
        for node in nodes
        for one in node.status.images or ()
        if image() in str(one.names)
    ]
    record_property(
        FIGURE, f"{size:.0f} MiB of files, {max(packed, default=0):.0f} MiB as the node counts"
    )
    record_property(FIGURE, f"--help after {told['help']['seconds']:.1f} s")
    record_property(FIGURE, f"a step without work after {told['step']['seconds']:.1f} s")
