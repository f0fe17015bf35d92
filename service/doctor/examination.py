"""Every part is examined at once and by a deadline; one that hangs costs only its own row."""

import queue
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from service.doctor import archive, database, executor, folders, index, network, objects, secret
from service.doctor.redaction import Redaction
from service.errors import ServiceError
from service.settings import Settings
from storage.check import Finding
from storage.errors import StorageError
from workflows.errors import WorkflowError

Check = Callable[[Settings], Iterable[Finding]]
PARTS: Mapping[str, Check] = {
    "folders": folders.check,
    "secrets": secret.check,
    "database": database.check,
    "archive": archive.check,
    "connections": archive.check_connections,
    "index": index.check,
    "objects": objects.check,
    "executor": executor.check,
    "network": network.check,
}
PATIENCE_SECONDS = 90.0


def examine(
    settings: Settings,
    only: Collection[str] = (),
    patience_seconds: float = PATIENCE_SECONDS,
    parts: Mapping[str, Check] = PARTS,
) -> list[Finding]:
    """The findings of the parts, in their order; no secret of the settings is in any of them."""
    answers: queue.Queue[tuple[str, Sequence[Finding]]] = queue.Queue()

    def look(name: str) -> None:
        answers.put((name, _found(name, parts[name], settings)))

    names = [name for name in parts if not only or name in only]
    for name in names:
        # A daemon: a call that never comes back must not keep the command from its end.
        threading.Thread(target=look, args=(name,), name=f"doctor-{name}", daemon=True).start()
    found = _collect(names, answers, time.monotonic() + patience_seconds)
    late = f"no answer within {patience_seconds:g} s"
    advice = "something between here and there drops packets: look at firewalls and policies"
    redaction = Redaction.of(settings)
    return [
        redaction.applied(finding)
        for name in names
        for finding in found.get(name, [Finding(name, "reach", "failed", late, advice)])
    ]


def failed(findings: Iterable[Finding]) -> bool:
    """Whether anything must be done before the service can work."""
    return any(finding.state == "failed" for finding in findings)


def _collect(
    names: Sequence[str], answers: "queue.Queue[tuple[str, Sequence[Finding]]]", deadline: float
) -> dict[str, Sequence[Finding]]:
    found: dict[str, Sequence[Finding]] = {}
    while len(found) < len(names):
        try:
            name, findings = answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        found[name] = findings
    return found


def _found(name: str, check: Check, settings: Settings) -> list[Finding]:
    findings: list[Finding] = []
    try:
        findings.extend(check(settings))
    except (ServiceError, StorageError, WorkflowError, OSError) as error:
        findings.append(Finding(name, "check", "failed", str(error), "see the message"))
    except Exception as error:  # noqa: BLE001 - one part's defect must not hide the others
        told = f"the check itself failed: {type(error).__name__}"
        findings.append(Finding(name, "check", "failed", told, "report this as a defect"))
    return [replace(one, advice="") if one.state == "ok" else one for one in findings]
