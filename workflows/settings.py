"""How steps run; built once by the service and passed down."""

from dataclasses import dataclass


@dataclass(frozen=True)
class WorkflowSettings:
    """Sizes and limits of steps and of the local pool."""

    executor: str = "local"  # local | argo | auto
    processes: int = 0  # of the local pool; 0 = one per core
    chunk_seconds: float = 300.0  # work per chunk that plan aims at
    local_chunk_seconds: float = 2.0  # the least work worth another process of the local pool
    group_points: int = 1_000_000  # of a row group of the inputs; a detector gets one at a time
    max_chunks: int = 500
    max_chunk_points: int = 20_000_000
    task_timeout_seconds: float = 3600.0
    max_tasks_per_worker: int = 100
    worker_memory_mb: int = 2048  # a pool worker above this is recycled
    max_points: int = 10_000_000_000
    max_labels: int = 32  # of a series that is ingested
    max_label_length: int = 256  # characters of a value
