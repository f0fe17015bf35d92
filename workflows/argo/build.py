"""The workflow of one attempt, as the Kubernetes API takes it."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from hera.workflows import DAG, Container, Parameter, RetryStrategy, Task, Workflow, models

from workflows.argo.names import (
    ATTEMPT,
    DESCRIPTION,
    HASH,
    INSTANCE,
    KIND,
    MANAGED,
    RUN,
    SOURCE,
    TITLE,
    TRACE,
    Request,
    id_of,
    kind_of,
    label_value,
    request_hash,
    source_of,
    workflow_name,
)
from workflows.argo.pods import PodKind
from workflows.argo.settings import ArgoSettings
from workflows.request import IngestRequest, RunRequest

COMMAND = ["lupus-server", "step"]
_SCRATCH = "/tmp"  # noqa: S108 - of the pod alone: an empty folder of its own
_OUTPUTS = f"{_SCRATCH}/outputs"
_USER = 10001  # of the image
_LONGEST_TEXT = 500
_BRACE = re.compile(r"\{(?=\{)")
# Lost (-1), try again, killed by a signal: want of memory, a node that goes.
_RETRY = "asInt(lastRetry.exitCode) in [-1, 75, 134, 137, 139, 143] || lastRetry.status == 'Error'"
# Publish alone decides how a run ends: also of one whose plan or chunks failed.
_DETECTED = " || ".join(
    f"detect.{state}" for state in ("Succeeded", "Failed", "Errored", "Skipped", "Omitted")
)


def workflow(
    request: Request, attempt: int, settings: ArgoSettings, deadline_seconds: int
) -> dict[str, Any]:
    """The object to create; only indices are passed, the data is in the object store."""
    trace = request.traceparent if isinstance(request, RunRequest) else ""
    steps = _Steps(settings, id_of(request), trace)
    secrets = {
        reference.name: reference
        for kind in ("plan", "detect", "publish")
        for reference in settings.pod(kind).many("imagePullSecrets")
    }
    with Workflow(
        name=workflow_name(kind_of(request), id_of(request), attempt),
        namespace=settings.namespace,
        labels=_labels(request, attempt, settings),
        annotations=_annotations(request),
        entrypoint="run",
        arguments=_arguments(request),
        service_account_name=settings.service_account,
        parallelism=settings.parallelism,
        active_deadline_seconds=deadline_seconds,
        pod_gc=models.PodGC(strategy="OnPodSuccess", delete_delay_duration="30s"),
        ttl_strategy=models.TTLStrategy(
            seconds_after_success=settings.ttl_success_seconds,
            seconds_after_failure=settings.ttl_failure_seconds,
        ),
        image_pull_secrets=list(secrets.values()) or None,
    ) as made:
        if isinstance(request, IngestRequest):
            steps.container("run", "publish", ["ingest", steps.run], ["points"], step="ingest")
        else:
            made.on_exit = "note"
            _detection(steps)
    content: dict[str, Any] = made.to_dict()
    return content


def _detection(steps: "_Steps") -> None:
    plan = steps.container("plan", "plan", ["plan", steps.run], ["chunks", "series", "points"])
    detect = steps.container(
        "detect",
        "detect",
        ["detect", steps.run, "--chunk", "{{inputs.parameters.chunk}}"],
        ["series", "anomalies"],
        inputs=["chunk"],
    )
    publish = steps.container(
        "publish", "publish", ["publish", steps.run], ["outcome", "new", "changed", "withdrawn"]
    )
    steps.container("note", "publish", ["note", steps.run, "--status", "{{workflow.status}}"], [])
    with DAG(name="run", fail_fast=False):
        Task(name="plan", template=plan)
        Task(
            name="detect",
            template=detect,
            depends="plan.Succeeded",
            arguments={"chunk": "{{item}}"},
            with_sequence=models.Sequence(
                count=_either("{{tasks.plan.outputs.parameters.chunks}}")
            ),
        )
        Task(name="publish", template=publish, depends=_DETECTED)


class _Steps:
    """Makes the templates of one workflow."""

    def __init__(self, settings: ArgoSettings, run: str, traceparent: str) -> None:
        self._settings = settings
        self.run = run
        self._trace = {"TRACEPARENT": traceparent} if traceparent else {}

    def container(
        self,
        name: str,
        kind: PodKind,
        args: Sequence[str],
        outputs: Sequence[str],
        inputs: Sequence[str] = (),
        step: str = "",
    ) -> Container:
        """A pod that runs one step."""
        pod = self._settings.pod(kind)
        labels = {
            "app.kubernetes.io/name": "lupus",
            "app.kubernetes.io/component": step or name,
            RUN: label_value(self.run),
        }
        return Container(
            name=name,
            image=self._settings.image,
            image_pull_policy="IfNotPresent",
            command=COMMAND,
            args=[*args, "--attempt", "{{retries}}", "--outputs", _OUTPUTS],
            inputs=[Parameter(name=given) for given in inputs],
            outputs=[_output(output, kind) for output in outputs],
            env=self._environment(kind),
            env_from=list(pod.many("envFrom")),
            resources=pod.one("resources"),
            volumes=self._volumes(kind),
            volume_mounts=[
                models.VolumeMount(name="scratch", mount_path=_SCRATCH),
                *pod.many("volumeMounts"),
            ],
            node_selector=pod.one("nodeSelector"),
            tolerations=list(pod.many("tolerations")) or None,
            affinity=pod.one("affinity"),
            priority_class_name=pod.one("priorityClassName"),
            service_account_name=pod.one("serviceAccountName"),
            annotations=pod.one("annotations"),
            labels={**(pod.one("labels") or {}), **labels},
            pod_security_context=pod.one("podSecurityContext") or _pod_security(),
            security_context=pod.one("securityContext") or _security(),
            retry_strategy=self._retry(),
        )

    def _environment(self, kind: PodKind) -> list[models.EnvVar]:
        """Ours first: of two variables with one name Kubernetes takes the last."""
        own = self._settings.pod(kind).many("env")
        named = {variable.name for variable in own}
        plain: Mapping[str, str] = {
            "LUPUS_EXECUTOR": "argo",
            "LUPUS_IMAGE": self._settings.image,
            "LUPUS_SCRATCH": _SCRATCH,
            "HOME": _SCRATCH,
            **self._trace,
            **self._settings.environment.get(kind, {}),
        }
        ours = [models.EnvVar(name=n, value=v) for n, v in plain.items() if n not in named]
        limits = getattr(self._settings.pod(kind).one("resources"), "limits", None) or {}
        if "LUPUS_PROCESSES" not in named and "cpu" in limits:
            ours.append(_processes())  # else the machine's count stands there, and memory is short
        return [*ours, *own]

    def _volumes(self, kind: PodKind) -> list[models.Volume]:
        own = list(self._settings.pod(kind).many("volumes"))
        if any(volume.name == "scratch" for volume in own):
            return own
        return [models.Volume(name="scratch", empty_dir=models.EmptyDirVolumeSource()), *own]

    def _retry(self) -> RetryStrategy:
        return RetryStrategy(
            limit=str(self._settings.retries),
            retry_policy="Always",
            expression=_RETRY,
            # No cap: Argo before 3.7 does not know it.
            backoff=models.Backoff(duration=str(self._settings.retry_seconds), factor=_either("2")),
        )


def _output(name: str, kind: PodKind) -> Parameter:
    """Without a default a step that fails would be an error of Argo's, and tried again.

    What there is once in a run is told of the whole workflow too.
    """
    default = "0" if name != "outcome" else "failed"
    return Parameter(
        name=name,
        value_from=models.ValueFrom(path=f"{_OUTPUTS}/{name}", default=default),
        global_name=None if kind == "detect" else name,
    )


def _arguments(request: Request) -> list[Parameter]:
    """For people only: no step reads them."""
    told: dict[str, str] = {"source": source_of(request)}
    if isinstance(request, RunRequest):
        told |= {"rule": request.rule or "", "series": _series(request)}
        told |= {"from": _date(request.start_ms), "to": _date(request.end_ms)}
        told["detector"] = _detector(request)
    # Argo would replace what looks like one of its variables.
    return [Parameter(name=n, value=_BRACE.sub("{ ", _plain(v))) for n, v in told.items()]


def _either(text: str) -> models.IntOrString:
    return models.IntOrString(root=text)


def _processes() -> models.EnvVar:
    """As many processes as the pod may use cores; the machine's own count says nothing."""
    return models.EnvVar(
        name="LUPUS_PROCESSES",
        value_from=models.EnvVarSource(
            resource_field_ref=models.ResourceFieldSelector(
                container_name="main", resource="limits.cpu", divisor=models.Quantity(root="1")
            )
        ),
    )


def _pod_security() -> models.PodSecurityContext:
    return models.PodSecurityContext(
        run_as_non_root=True,
        run_as_user=_USER,
        run_as_group=_USER,
        fs_group=_USER,
        seccomp_profile=models.SeccompProfile(type="RuntimeDefault"),
    )


def _security() -> models.SecurityContext:
    return models.SecurityContext(
        allow_privilege_escalation=False,
        read_only_root_filesystem=True,
        capabilities=models.Capabilities(drop=["ALL"]),
    )


def _labels(request: Request, attempt: int, settings: ArgoSettings) -> dict[str, str]:
    labels = {
        **MANAGED,
        KIND: kind_of(request),
        RUN: label_value(id_of(request)),
        SOURCE: label_value(source_of(request)),
        ATTEMPT: str(attempt),
    }
    if settings.instance_id:
        labels[INSTANCE] = settings.instance_id
    return labels


def _annotations(request: Request) -> dict[str, str]:
    told = {HASH: request_hash(request)}
    if isinstance(request, RunRequest):
        told[TITLE] = _plain(f"{request.rule or 'detection'} of {request.source.name}")
        told[DESCRIPTION] = _description(request)
        if request.traceparent:
            told[TRACE] = request.traceparent
    else:
        told[TITLE] = f"ingest into {request.source}"
    return told


def _description(request: RunRequest) -> str:
    """For people in Argo's pages, where markdown is drawn."""
    return f"`{_plain(_series(request))}` by `{_plain(_detector(request))}`"


def _series(request: RunRequest) -> str:
    labels = ", ".join(f"{name}={value}" for name, value in request.labels.items())
    return ", ".join(request.metrics) + (f" {{{labels}}}" if labels else "")


def _detector(request: RunRequest) -> str:
    parameters = ", ".join(f"{n} {v}" for n, v in request.detector.items() if n != "type")
    kind = str(request.detector.get("type", ""))
    return f"{kind} ({parameters})" if parameters else kind


def _date(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat()


def _plain(text: str) -> str:
    """Names may be many and hold anything; annotations have a limit and markdown a meaning."""
    text = text.replace("`", "'")
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}..."
