#!/usr/bin/env python3
"""A real single-node Kubernetes with Argo Workflows, for the tests that need one.

cluster.py fetch                     compile Kubernetes, etcd, CoreDNS and Argo, once
cluster.py network                   the bridge only: servers may listen at the node's address
cluster.py up                        start what is missing, print the KUBECONFIG line
cluster.py stop [NAME...]            end processes; the state stays, `up` goes on with it
cluster.py down                      end it all; programs and images stay
cluster.py status                    what runs, with its memory
cluster.py kubectl ARGS...           kubectl of the same build, as administrator
cluster.py base-image [X.Y]          a local stand-in for python:X.Y-slim
cluster.py image-build TAG CONTEXT [ARGS...]   a Dockerfile's image, straight into the cluster
cluster.py image-load ARCHIVE        an image archive (docker save, buildah push) into the cluster

Needs Linux with root, Go 1.26 and these Debian packages:
  containerd runc containernetworking-plugins nftables iproute2 openssl buildah debootstrap
(not kubernetes-client: `cluster.py kubectl` needs none.)
One such cluster a machine: the bridge and the ports are fixed.
Pods reach programs of this machine at 10.244.0.1, and nothing farther; the API server and the Argo
Server listen there too. DEFAULT_REQUEUE_TIME (1s here, 10s upstream) is the workflow controller's
pause before it looks at a run again.
"""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.servers.kubernetes.build import MANIFESTS, build
from tests.servers.kubernetes.configuration import configure
from tests.servers.kubernetes.images import (
    ARGOEXEC_IMAGE,
    CTR,
    PAUSE_IMAGE,
    archive_of,
    base_image,
    image_build,
    load,
    loaded,
    own_images,
)
from tests.servers.kubernetes.processes import (
    ARGO_SERVER,
    BIN,
    BRIDGE,
    CLUSTER,
    DATA,
    ETC,
    ETCD,
    IMAGES,
    KUBECONFIG,
    LOG,
    NODE,
    NODE_IP,
    POD_NET,
    RUN,
    SERVICE_NET,
    SOCKET,
    WORK,
    answers,
    kubectl,
    pid_of,
    run,
    start,
    stop,
    succeeds,
    wait,
)

# Start order; the way down is its reverse.
PROCESSES = (
    *("etcd", "containerd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"),
    *("kube-proxy", "kubelet", "dns", "workflow-controller", "argo-server"),
)
COMMANDS = ("containerd", "runc", "ctr", "nft", "ip", "openssl", "buildah")
FORWARD = Path("/proc/sys/net/ipv4/ip_forward")


def network() -> None:
    """The bridge whose address is the node's."""
    RUN.mkdir(parents=True, exist_ok=True)
    if not Path(f"/sys/class/net/{BRIDGE}").exists():
        (RUN / "ip_forward").write_text(FORWARD.read_text())
        run("ip", "link", "add", BRIDGE, "type", "bridge")
        run("ip", "address", "add", f"{NODE_IP}/{POD_NET.split('/')[1]}", "dev", BRIDGE)
    run("ip", "link", "set", BRIDGE, "up")
    FORWARD.write_text("1")


def fetch() -> None:
    """Programs and the images that Kubernetes and Argo start."""
    if missing := [command for command in COMMANDS if not shutil.which(command)]:
        raise SystemExit(f"not found: {', '.join(missing)}\n{__doc__}")
    build()
    RUN.mkdir(parents=True, exist_ok=True)
    own_images()


def up() -> None:
    fetch()
    if os.geteuid() != 0:
        raise SystemExit("a cluster from packages needs root")
    for folder in (ETC, RUN, LOG, DATA, IMAGES):
        folder.mkdir(parents=True, exist_ok=True)
    configure()
    network()
    _start_control()
    _load_images()
    _start_node()
    _start_argo()
    _wait_for_node()
    print(f"export KUBECONFIG={KUBECONFIG}")
    print(f"export LUPUS_TEST_ARGO_URL={ARGO_SERVER}")


def _start_control() -> None:
    start("containerd", "containerd", "--config", ETC / "containerd.toml")
    start(
        *("etcd", CLUSTER, "etcd", "--data-dir", DATA / "etcd", "--log-level", "warn"),
        *("--listen-client-urls", ETCD, "--advertise-client-urls", ETCD),
        *("--listen-peer-urls", "http://127.0.0.1:12380", "--unsafe-no-fsync"),
    )
    wait("etcd", lambda: answers(f"{ETCD}/health"))
    start(
        *("kube-apiserver", CLUSTER, "kube-apiserver", f"--etcd-servers={ETCD}"),
        *(f"--bind-address={NODE_IP}", f"--advertise-address={NODE_IP}"),
        *(f"--service-cluster-ip-range={SERVICE_NET}", "--authorization-mode=Node,RBAC"),
        *("--enable-admission-plugins=NodeRestriction", "--allow-privileged=true"),
        *(f"--client-ca-file={ETC}/ca.crt", f"--tls-cert-file={ETC}/kube-apiserver.crt"),
        *(f"--tls-private-key-file={ETC}/kube-apiserver.key",),
        *(f"--kubelet-certificate-authority={ETC}/ca.crt",),
        *(f"--kubelet-client-certificate={ETC}/admin.crt",),
        *(f"--kubelet-client-key={ETC}/admin.key",),
        "--kubelet-preferred-address-types=InternalIP",
        *(f"--service-account-key-file={ETC}/service-accounts.key",),
        *(f"--service-account-signing-key-file={ETC}/service-accounts.key",),
        "--service-account-issuer=https://kubernetes.default.svc",
    )


def _load_images() -> None:
    wait("containerd", lambda: succeeds(*CTR, "version"))
    for tag in {PAUSE_IMAGE, ARGOEXEC_IMAGE} - set(loaded()):
        load(archive_of(tag))


def _start_node() -> None:
    wait("kube-apiserver", lambda: succeeds(*kubectl("get", "--raw", "/readyz")))
    start(
        *("kube-controller-manager", CLUSTER, "kube-controller-manager"),
        *(f"--kubeconfig={ETC}/kube-controller-manager.kubeconfig",),
        *(f"--root-ca-file={ETC}/ca.crt", "--use-service-account-credentials=true"),
        *(f"--service-account-private-key-file={ETC}/service-accounts.key",),
        *("--leader-elect=false", "--bind-address=127.0.0.1"),
    )
    start(
        *("kube-scheduler", CLUSTER, "kube-scheduler", "--leader-elect=false"),
        *(f"--kubeconfig={ETC}/kube-scheduler.kubeconfig", "--bind-address=127.0.0.1"),
    )
    start(
        *("kubelet", CLUSTER, "kubelet", f"--config={ETC}/kubelet.yaml"),
        *(f"--kubeconfig={ETC}/kubelet.kubeconfig", f"--hostname-override={NODE}"),
        *(f"--node-ip={NODE_IP}", f"--root-dir={DATA}/kubelet"),
    )
    start(
        *("kube-proxy", CLUSTER, "kube-proxy", f"--kubeconfig={ETC}/kube-proxy.kubeconfig"),
        *("--proxy-mode=nftables", f"--hostname-override={NODE}", f"--cluster-cidr={POD_NET}"),
        "--conntrack-max-per-core=0",
    )
    start("dns", BIN / "dns", "-conf", ETC / "Corefile")


def _start_argo() -> None:
    if not (ETC / "argo-applied").exists():  # the complete definitions take the API server 15 s
        if not succeeds(*kubectl("get", "namespace", "argo")):
            run(*kubectl("create", "namespace", "argo"))
        for folder in (MANIFESTS / "base" / "crds" / "full", ETC):
            run(*kubectl("apply", "--server-side", "--force-conflicts", "-k", folder))
        run(*kubectl("wait", "--for=condition=Established", "--timeout=120s", "crd", "--all"))
        (ETC / "argo-applied").touch()
    start(
        *("workflow-controller", BIN / "workflow-controller"),
        *("--kubeconfig", ETC / "workflow-controller.kubeconfig"),
        *("--executor-image", ARGOEXEC_IMAGE, "--executor-image-pull-policy", "IfNotPresent"),
        LEADER_ELECTION_DISABLE="true",
        DEFAULT_REQUEUE_TIME=os.environ.get("DEFAULT_REQUEUE_TIME", "1s"),
    )
    start(
        *("argo-server", BIN / "argo", "server", "--secure=false"),
        *("--kubeconfig", ETC / "argo-server.kubeconfig"),
        *("--auth-mode=client", "--auth-mode=server"),
    )


def _wait_for_node() -> None:
    wait("workflow-controller", lambda: answers("http://127.0.0.1:6060/healthz"))
    wait("argo-server", lambda: answers(f"{ARGO_SERVER}/api/v1/version"))
    wait("dns", lambda: answers("http://127.0.0.1:18181/ready"))
    path = 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'
    words = kubectl("get", "node", NODE, "-o", path)
    wait("the node", lambda: run(*words, check=False) == "True")
    wait("the service account", lambda: succeeds(*kubectl("get", "serviceaccount", "default")))


def halt(*names: str) -> None:
    if unknown := set(names) - set(PROCESSES):
        raise SystemExit(f"no such process: {', '.join(sorted(unknown))}")
    stop(*(names or reversed(PROCESSES)))


def down() -> None:
    stop(*PROCESSES[2:])
    if pid_of("containerd") and SOCKET.exists():
        run(CLUSTER, "stop-pods", f"unix://{SOCKET}", check=False)
    stop("containerd", "etcd")
    _unmount()
    _forget_pods()
    for family in ("ip", "ip6"):
        run("nft", "delete", "table", family, "kube-proxy", check=False)
    if Path(f"/sys/class/net/{BRIDGE}").exists():
        run("ip", "link", "delete", BRIDGE)
        FORWARD.write_text((RUN / "ip_forward").read_text())
    for folder in (ETC, RUN, DATA / "etcd", DATA / "kubelet", DATA / "cni", DATA / "pod-logs"):
        shutil.rmtree(folder, ignore_errors=True)


def _unmount() -> None:
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in reversed([mount for mount in mounts if mount.startswith(f"{WORK}/")]):
        run("umount", mount, check=False)


def _forget_pods() -> None:
    """Control groups and links to logs that the kubelet leaves."""
    for group in Path("/sys/fs/cgroup").glob("**/kubepods"):
        for folder, _, _ in os.walk(group, topdown=False):
            Path(folder).rmdir()
    for link in Path("/var/log/containers").glob("*.log"):
        if str(link.readlink()).startswith(f"{WORK}/"):
            link.unlink()


def status() -> bool:
    """Print what runs; true when all of it does."""
    pids = {name: pid_of(name) for name in PROCESSES}
    for name, pid in pids.items():
        print(f"{name:24} {_memory(pid) if pid else '-'}", file=sys.stderr)
    return all(pids.values())


def _memory(pid: int) -> str:
    kilobytes = Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0]
    return f"{pid:8} {int(kilobytes) // 1024:5} MiB"


def as_administrator(*words: str) -> None:
    os.execv(CLUSTER, list(map(str, kubectl(*words))))


VERBS: dict[str, Callable[..., object]] = {
    "fetch": fetch,
    "build": build,
    "network": network,
    "up": up,
    "stop": halt,
    "down": down,
    "status": status,
    "kubectl": as_administrator,
    "base-image": base_image,
    "image-build": image_build,
    "image-load": load,
}


def main(verb: str = "", *words: str) -> None:
    if verb not in VERBS:
        raise SystemExit(__doc__)
    raise SystemExit(0 if VERBS[verb](*words) in (None, True) else 1)


if __name__ == "__main__":
    main(*sys.argv[1:])
