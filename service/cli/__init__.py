"""``lupus-server``: the command line. Each command imports what it needs when it is called."""

import json
import sys
from collections.abc import Sequence

import typer

from service.cli import (
    audit,
    backup,
    deliveries,
    detect,
    doctor,
    explain,
    import_mlflow,
    import_points,
    index,
    local,
    report,
    running,
    runs,
    tokens,
)
from service.cli.exits import FAILED, SETTINGS, USAGE, EndedError

app = typer.Typer(
    name="lupus-server",
    help="Anomaly detection for the batch metrics of machine-learning products.",
    epilog="Exit codes: 0 fine, 1 anomalies, 2 failed or partial, 64 wrong usage, "
    "69 the service cannot be reached, 78 a setting is wrong.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
running.add_to(app)
import_points.add_to(app)
import_mlflow.add_to(app)
detect.add_to(app)
runs.add_to(app)
report.add_to(app)
explain.add_to(app)
tokens.add_to(app)
audit.add_to(app)
deliveries.add_to(app)
local.add_to(app)
index.add_to(app)
doctor.add_to(app)
backup.add_to(app)

_TYPERS_USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["step"]:
        from workflows.step_entry import main as step  # noqa: PLC0415 - pods load nothing else

        return step(given[1:])
    try:
        app(given)
    except EndedError as ended:
        return _say(str(ended), ended.code, given)
    except SystemExit as ended:
        if ended.code == _TYPERS_USAGE:
            return USAGE
        return ended.code if isinstance(ended.code, int) else 0
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        known = _code_of(error)
        if known is None:
            raise
        return _say(str(error), known, given)
    return 0


def _code_of(error: Exception) -> int | None:
    """The exit code of an error that has a name in one of the rooms; None for a defect."""
    from service.errors import RequestError, ServiceError, SettingsError  # noqa: PLC0415
    from storage.errors import StorageError  # noqa: PLC0415
    from workflows.errors import BadRequestError, WorkflowError  # noqa: PLC0415

    if isinstance(error, SettingsError):
        return SETTINGS
    if isinstance(error, RequestError | BadRequestError):
        return USAGE
    return FAILED if isinstance(error, ServiceError | StorageError | WorkflowError) else None


def _say(message: str, code: int, given: Sequence[str]) -> int:
    if message and "--json" in given:
        sys.stdout.write(json.dumps({"error": message, "exit_code": code}) + "\n")
    elif message:
        sys.stderr.write(f"lupus-server: {message}\n")
    return code
