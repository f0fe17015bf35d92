"""Certificates, client configurations and the settings of every component."""

import json
import os

from tests.servers.kubernetes.build import MANIFESTS
from tests.servers.kubernetes.images import PAUSE_IMAGE
from tests.servers.kubernetes.processes import (
    API,
    BRIDGE,
    ETC,
    HERE,
    NODE,
    NODE_IP,
    POD_NET,
    SERVICE_IP,
    WORK,
    run,
)

COMPONENTS = ("kube-controller-manager", "kube-scheduler", "kube-proxy")
# Argo's two programs run on the host, each with exactly the rights of its service account.
ACCOUNTS = {"workflow-controller": "argo", "argo-server": "argo-server"}


def configure() -> None:
    """Write what is missing; certificates are made once."""
    _certificates()
    for name in ("admin", "kubelet", *COMPONENTS):
        _kubeconfig(name, "default")
    for name in ACCOUNTS:
        _kubeconfig(name, "argo")
    _templates()


def _certificates() -> None:
    _certificate("ca", f"/CN={NODE}-ca")
    _certificate("kube-apiserver", "/CN=kube-apiserver", names=_service_names(), use="serverAuth")
    _certificate(
        "kubelet",
        f"/O=system:nodes/CN=system:node:{NODE}",
        names=f"DNS:{NODE},IP:{NODE_IP}",
        use="clientAuth,serverAuth",
    )
    _certificate("admin", "/O=system:masters/CN=admin")
    for name in COMPONENTS:
        _certificate(name, f"/CN=system:{name}")
    groups = "/O=system:serviceaccounts/O=system:serviceaccounts:argo"
    for name, account in ACCOUNTS.items():
        _certificate(name, f"{groups}/CN=system:serviceaccount:argo:{account}")
    key = ETC / "service-accounts.key"
    if not key.exists():
        run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)


def _service_names() -> str:
    ends = ("", ".default", ".default.svc", ".default.svc.cluster.local")
    addresses = ",".join(f"IP:{address}" for address in (NODE_IP, SERVICE_IP, "127.0.0.1"))
    return ",".join(f"DNS:kubernetes{end}" for end in ends) + f",{addresses}"


def _certificate(name: str, subject: str, names: str = "", use: str = "clientAuth") -> None:
    if (ETC / f"{name}.crt").exists():
        return
    made = ("-keyout", ETC / f"{name}.key", "-out", ETC / f"{name}.crt")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    signed: tuple[object, ...] = ("-extensions", "ca")
    if name != "ca":
        signed = ("-extensions", "leaf", "-addext", f"extendedKeyUsage={use}")
        signed += ("-CA", ETC / "ca.crt", "-CAkey", ETC / "ca.key")
    if names:
        signed += ("-addext", f"subjectAltName={names}")
    settings = HERE / "settings" / "openssl.cnf"
    words = ("req", "-config", settings, "-x509", "-days", "365", "-subj", subject)
    run("openssl", *words, *key, *made, *signed)


def _kubeconfig(name: str, namespace: str) -> None:
    server = {"server": API, "certificate-authority": f"{ETC}/ca.crt"}
    files = {"client-certificate": f"{ETC}/{name}.crt", "client-key": f"{ETC}/{name}.key"}
    context = {"cluster": NODE, "user": name, "namespace": namespace}
    written = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": NODE,
        "clusters": [{"name": NODE, "cluster": server}],
        "users": [{"name": name, "user": files}],
        "contexts": [{"name": NODE, "context": context}],
    }
    (ETC / f"{name}.kubeconfig").write_text(json.dumps(written, indent=1))


def _templates() -> None:
    values = {
        "WORK": str(WORK),
        "NODE_IP": NODE_IP,
        "BRIDGE": BRIDGE,
        "POD_NET": POD_NET,
        "PAUSE_IMAGE": PAUSE_IMAGE,
        "ARGO_MANIFESTS": os.path.relpath(MANIFESTS, ETC),
    }
    for template in sorted((HERE / "settings").iterdir()):
        text = template.read_text()
        for word, value in values.items():
            text = text.replace("{{" + word + "}}", value)
        target = (ETC / "cni" if template.suffix == ".conflist" else ETC) / template.name
        target.parent.mkdir(exist_ok=True)
        target.write_text(text)
