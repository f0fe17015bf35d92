"""Compile Kubernetes, etcd, CoreDNS and Argo: once, 25 minutes on two idle cores."""

import json
import shutil
from pathlib import Path

from tests.servers.kubernetes.processes import BIN, CLUSTER, HERE, WORK, run

KUBERNETES, ARGO = "v1.34.4", "v4.0.7"
MANIFESTS = WORK / "argo" / "manifests"


def build() -> None:
    """Compile what is not there yet."""
    if built():
        return
    BIN.mkdir(parents=True, exist_ok=True)
    major, minor = KUBERNETES.lstrip("v").split(".")[:2]
    version = "k8s.io/component-base/version"
    stamps = {
        "gitVersion": KUBERNETES,
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
    }
    _compile(HERE / "cluster", CLUSTER, {f"{version}.{name}": stamps[name] for name in stamps})
    _compile(HERE / "pause", BIN / "pause", {})
    _compile(HERE / "dns", BIN / "dns", {})
    _compile_argo()


def built() -> bool:
    """Whether the programs of these versions are there; Argo's are compiled last."""
    argo = BIN / "argo"
    if not (CLUSTER.exists() and argo.exists()):
        return False
    client = run(CLUSTER, "kubectl", "version", "--client", check=False)
    return KUBERNETES in client and ARGO in run(argo, "version", "--short", check=False)


def _compile(module: Path, target: Path, stamps: dict[str, str], *packages: str) -> None:
    flags = " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in stamps.items())])
    out = f"{target}/" if packages else target
    words = ("go", "build", "-trimpath", "-ldflags", flags, "-o", out, *(packages or (".",)))
    run(*words, cwd=module, CGO_ENABLED="0")


def _compile_argo() -> None:
    """Argo's own module, with its own pinned dependencies."""
    name = f"github.com/argoproj/argo-workflows/v4@{ARGO}"
    source = Path(json.loads(run("go", "mod", "download", "-json", name))["Dir"])
    copy = WORK / "argo"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(source, copy, copy_function=shutil.copyfile)
    run("chmod", "-R", "u+w", copy)
    # A module holds no symbolic links, and Argo's signal_linux.go is one.
    signals = copy / "workflow" / "executor" / "osspecific"
    shutil.copyfile(signals / "signal_darwin.go", signals / "signal_linux.go")
    # The published module has no compiled web pages, and does not compile without a page.
    page = copy / "ui" / "dist" / "app" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text("<!doctype html><title>Argo Server</title><p>No web pages here, only the API.")
    package = "github.com/argoproj/argo-workflows/v4"
    stamps = {
        f"{package}.version": ARGO,
        f"{package}.gitTag": ARGO,
        f"{package}.gitTreeState": "clean",
    }
    programs = ("./cmd/workflow-controller", "./cmd/argoexec", "./cmd/argo")
    _compile(copy, BIN, stamps, *programs)
