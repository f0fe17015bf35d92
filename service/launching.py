"""Which launcher the settings choose, and how a worker treats it."""

from dataclasses import dataclass, replace

from service.api.resources import Resources
from service.clock import SECOND_MS
from service.dry_run import estimate
from service.errors import SettingsError
from service.settings import Settings, secret_fields
from service.version import VERSION
from service.worker.identity import process_identity
from service.worker.settings import WorkerSettings
from workflows.argo.pods import KINDS, PodKind, read_pods
from workflows.argo.settings import ArgoSettings, own_namespace
from workflows.auto import AutoLauncher
from workflows.errors import BadRequestError, ClusterRefusedError
from workflows.launcher import Launcher
from workflows.local import LocalLauncher
from workflows.request import RunRequest

_HOUR = 3600
_ARGO_LOOK_MS = 2 * SECOND_MS  # each look at a run on the cluster is a request or two

# Settings whose fields a kind of pod is told of. Files are not there: the pod file mounts them.
_OF_ALL = ("objects_url", "chunk_seconds", "max_labels", "max_label_length")
_OF_ALL_PREFIXES = ("s3_",)
_NOT_OF_DETECT = ("archive_url", "index_url", "duckdb_memory_mb", "duckdb_threads")
_NOT_OF_DETECT_PREFIXES = ("index_", "elasticsearch_", "hive_", "archive_")


@dataclass(frozen=True)
class Launching:
    """A launcher; ``holder`` names who looks after its runs: one process, or all of a service."""

    launcher: Launcher
    holder: str
    pace: WorkerSettings
    shared: bool = False


def open_launcher(resources: Resources, pace: WorkerSettings) -> Launching:
    """The launcher of ``LUPUS_EXECUTOR``.

    Runs of the local pool belong to its process. Those on Argo belong to everybody, so all workers
    of one namespace hold them together, and the limit of workflows is that of all.
    """
    settings = resources.settings
    if settings.executor == "local":
        return Launching(_local(settings), process_identity(), pace)
    workflows = settings.argo_max_workflows
    argo = _argo(resources)
    if settings.executor == "argo":
        slow = replace(pace, slots=workflows, look_ms=max(pace.look_ms, _ARGO_LOOK_MS))
        return Launching(argo, f"argo/{argo_settings(settings).namespace}", slow, shared=True)
    steps = settings.steps

    def seconds(request: RunRequest) -> float:
        return estimate(resources.stores, request, steps).core_seconds

    both = AutoLauncher(
        _local(settings), argo, resources.stores.objects, seconds, settings.auto_core_seconds
    )
    return Launching(both, process_identity(), replace(pace, slots=pace.slots + workflows))


def _local(settings: Settings) -> Launcher:
    steps = replace(settings.steps, executor="local")
    return LocalLauncher(settings.stores, steps, settings.image or VERSION)


def _argo(resources: Resources) -> Launcher:
    # Imported here: a service without Argo needs neither package.
    from workflows.argo.cluster import open_cluster  # noqa: PLC0415

    wanted = argo_settings(resources.settings)
    try:
        cluster = open_cluster(wanted.namespace)
        from workflows.argo.launcher import ArgoLauncher  # noqa: PLC0415
    except ClusterRefusedError as error:
        raise SettingsError(str(error)) from None
    except ImportError:
        raise SettingsError(
            "LUPUS_EXECUTOR=argo needs the extra: pip install 'lupus-server[argo]'"
        ) from None
    return ArgoLauncher(resources.stores.objects, cluster, wanted, resources.clock.now_ms)


def argo_settings(settings: Settings) -> ArgoSettings:
    """What the workflows room needs to know; SettingsError names the line of the pod file."""
    try:
        pods = read_pods(settings.argo_pod_file)
    except BadRequestError as error:
        raise SettingsError(str(error)) from None
    except ImportError:
        raise SettingsError(
            "LUPUS_ARGO_POD_FILE needs the extra: pip install 'lupus-server[argo]'"
        ) from None
    return ArgoSettings(
        image=settings.image,
        namespace=settings.argo_namespace or own_namespace(),
        url=settings.argo_url.rstrip("/"),
        instance_id=settings.argo_instance_id,
        service_account=settings.argo_service_account,
        parallelism=settings.argo_parallelism,
        max_workflows=settings.argo_max_workflows,
        ttl_success_seconds=int(settings.argo_ttl_success_hours * _HOUR),
        ttl_failure_seconds=int(settings.argo_ttl_failure_hours * _HOUR),
        pods=pods,
        environment={kind: pod_environment(settings, kind) for kind in KINDS},
    )


def pod_environment(settings: Settings, kind: PodKind) -> dict[str, str]:
    """What a pod is told of the service's settings: no secret, and no file that it does not have.

    Detect pods open the object store only and are told of nothing else.
    """
    names: tuple[str, ...] = _OF_ALL
    prefixes: tuple[str, ...] = _OF_ALL_PREFIXES
    if kind != "detect":
        names, prefixes = names + _NOT_OF_DETECT, prefixes + _NOT_OF_DETECT_PREFIXES
    fields = [name for name in type(settings).model_fields if name.startswith(prefixes)]
    fields = [name for name in fields if name not in secret_fields()]
    values = {name.removesuffix("_url"): getattr(settings, name) for name in names}
    values |= {name: getattr(settings, name) for name in fields}
    return {
        f"LUPUS_{name.upper()}": str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in values.items()
        if isinstance(value, str | int | float) and value != ""
    }
