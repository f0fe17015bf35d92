"""Argo's controller, ended without warning and started again, wherever it runs."""

import subprocess
from pathlib import Path
from typing import Any

import psutil
from kubernetes import client

from tests.workflows.argo.cluster import until

_NAMESPACE, _LABEL = "argo", "app=workflow-controller"


def restart_controller(admin: client.ApiClient) -> None:
    """Its pod where it is one, else its process on this machine."""
    core: Any = client.CoreV1Api(admin)
    pods = core.list_namespaced_pod(_NAMESPACE, label_selector=_LABEL).items
    if not pods:
        _restart_process()
        return
    for pod in pods:
        core.delete_namespaced_pod(pod.metadata.name, _NAMESPACE, grace_period_seconds=0)
    old = {pod.metadata.uid for pod in pods}

    def ready() -> bool:
        found = core.list_namespaced_pod(_NAMESPACE, label_selector=_LABEL).items
        return any(p.metadata.uid not in old and p.status.phase == "Running" for p in found)

    until("a new controller", ready)


def _restart_process() -> None:
    found = [
        process
        for process in psutil.process_iter(["cmdline"])
        if (process.info["cmdline"] or [""])[0].endswith("/workflow-controller")
    ]
    assert found, "neither a pod nor a process of Argo's controller is there"
    (process,) = found
    command, folder, environment = process.cmdline(), Path(process.cwd()), process.environ()
    process.kill()
    psutil.wait_procs([process], timeout=30)
    log = folder.parent / "log" / "workflow-controller.log"
    with log.open("ab") as lines:
        again = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=lines,
            stderr=lines,
            start_new_session=True,
        )
    again.returncode = 0  # it outlives this process, and nobody waits for it
    _keep_number(folder / "workflow-controller.pid", again.pid)


def _keep_number(file: Path, pid: int) -> None:
    """Who started the old one ends the new one by this file."""
    if file.exists():
        born = Path(f"/proc/{pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()[19]
        file.write_text(f"{pid} {born}")
