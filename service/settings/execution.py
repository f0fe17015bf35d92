"""Where and how runs are carried out."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from service.settings.part import Part


class Execution(Part):
    """Where and how runs are carried out."""

    executor: Literal["local", "argo", "auto"] = Field(
        "local",
        description="Who runs the steps: `local`, a pool of processes on this machine; `argo`, "
        "pods of an Argo Workflow; `auto`, Argo for what is worth its pods.",
    )
    image: str = Field(
        "",
        description="Image of the pods, with a tag that is not `latest`. Needed by `argo` and "
        "`auto`; plans and chunks say which one made them.",
    )
    argo_namespace: str = Field(
        "",
        description="Where workflows are created. Default: the namespace of this process's pod, "
        "else `default`.",
    )
    argo_service_account: str = Field(
        "lupus-worker", description="Service account of the pods of a workflow."
    )
    argo_url: str = Field(
        "",
        description="Where people reach Argo's pages, for links: `https://argo.example.com`.",
    )
    argo_instance_id: str = Field(
        "",
        description="Instance id of the controller that is to take the workflows, if it has one.",
    )
    argo_pod_file: Path | None = Field(
        None,
        description="YAML file with resources, secrets, placement and the like of the three kinds "
        "of pods, see [argo.md](argo.md).",
    )
    argo_max_workflows: int = Field(
        10, ge=1, le=1000, description="Runs on Argo at once; the others wait in the queue."
    )
    argo_parallelism: int = Field(
        50, ge=1, le=1000, description="Pods of one run that work at once."
    )
    argo_ttl_success_hours: float = Field(
        24.0, gt=0, description="Argo keeps a workflow that succeeded for so many hours."
    )
    argo_ttl_failure_hours: float = Field(
        168.0, gt=0, description="Argo keeps a workflow that failed for so many hours."
    )
    auto_core_seconds: float = Field(
        60.0,
        ge=0,
        description="With `auto`, what is estimated below so many core-seconds runs on this "
        "machine: the pods of a small run cost more than its work.",
    )
    worker: bool = Field(
        True, description="Whether `serve` also works off the queue; else start `worker` beside it."
    )
    drain_seconds: float = Field(
        0.0,
        ge=0,
        le=300,
        description="After SIGTERM readyz says 503 so long before the port is closed; give a load "
        "balancer the time that it needs to notice.",
    )
    processes: int = Field(
        0,
        ge=0,
        description="Processes of the local pool; 0: one per core, and no more than a container's "
        "limits of CPU and memory have room for.",
    )
    chunk_seconds: float = Field(300.0, gt=0, description="Work per chunk that a plan aims at.")
    task_timeout_seconds: float = Field(
        3600.0, gt=0, description="A step that takes longer is ended and tried again."
    )
    pool_memory_mb: int = Field(
        2048, ge=128, description="A process of the pool above this is replaced."
    )
