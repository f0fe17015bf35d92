"""doctor: looks at every configured part and says what to do."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.exits import FAILED, USAGE, EndedError
from service.cli.output import AsJson

if TYPE_CHECKING:
    from service.settings import Settings
    from storage.check import Finding

_COLOURS = {"ok": "green", "warning": "yellow", "failed": "bold red"}


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(doctor)


def doctor(
    only: Annotated[
        list[str] | None,
        typer.Option(help="Look at this part only, such as database; repeat it."),
    ] = None,
    from_pod: Annotated[
        bool,
        typer.Option("--from-pod", help="Look at the stores from inside a workflow's pod too."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check every configured part and say what to do; 0 when the service can work, else 2."""
    from service.doctor.examination import PARTS, examine, failed  # noqa: PLC0415 - heavy
    from service.errors import SettingsError  # noqa: PLC0415
    from service.settings import load_settings  # noqa: PLC0415
    from storage.check import Finding  # noqa: PLC0415

    unknown = set(only or ()) - set(PARTS)
    if unknown:
        raise EndedError(USAGE, f"--only {min(unknown)}: known parts are {', '.join(PARTS)}")
    try:
        settings = load_settings()
    except SettingsError as error:
        # Nothing can be opened with settings that contradict each other.
        findings = [Finding("settings", "read", "failed", str(error), "correct what it names")]
    else:
        findings = [*_of_settings(settings), *examine(settings, only or ())]
        if from_pod:
            from service.doctor.pod import examine_from_pod  # noqa: PLC0415 - with Argo only
            from service.doctor.redaction import Redaction  # noqa: PLC0415

            redaction = Redaction.of(settings)
            findings += [redaction.applied(one) for one in examine_from_pod(settings)]
    _print(findings, as_json)
    if failed(findings):
        raise EndedError(FAILED)


def _of_settings(settings: "Settings") -> "list[Finding]":
    import os  # noqa: PLC0415

    from service.settings import misspelt  # noqa: PLC0415
    from storage.check import Finding  # noqa: PLC0415

    wrong = [
        Finding(
            "settings",
            name,
            "warning",
            "is no setting, so it does nothing",
            f"did you mean {near}?" if near else "remove it; docs/settings.md lists them all",
        )
        for name, near in misspelt(os.environ).items()
    ]
    return wrong or [Finding("settings", "read", "ok", f"executor {settings.executor}")]


def _print(findings: "Sequence[Finding]", as_json: bool) -> None:
    import json  # noqa: PLC0415
    import sys  # noqa: PLC0415

    if as_json:
        sys.stdout.write(json.dumps([vars(one) for one in findings], ensure_ascii=False) + "\n")
        return
    from rich.console import Console  # noqa: PLC0415 - costs 30 ms
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    shown = Table("part", "check", "state", "seen", "what to do", show_lines=False)
    part = ""
    for one in findings:
        name, part = ("" if one.part == part else one.part), one.part
        state = Text(one.state, _COLOURS[one.state])
        # As text: brackets in a server's message are no markup.
        shown.add_row(Text(name), Text(one.check), state, Text(one.detail), Text(one.advice))
    Console().print(shown)
