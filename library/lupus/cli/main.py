"""The command line, from its arguments to an exit code."""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn, Optional

from lupus.cli import detect, lists, send
from lupus.cli.exits import FINE, INTERRUPTED, USAGE, code_of
from lupus.errors import LupusError
from lupus.version import VERSION

_ABOUT = """Send metrics to Lupus, ask it for detections, read what it found.

LUPUS_URL says where it is, LUPUS_TOKEN or LUPUS_TOKEN_FILE who asks, LUPUS_CA_BUNDLE whom to trust.
Exit codes: 0 fine, 1 anomalies, 2 failed or partial, 64 usage or refused, 69 not reached."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run the command; gives its exit code."""
    asked = _parsed(arguments)
    try:
        code: int = asked.run(asked)
        sys.stdout.flush()
    except LupusError as error:
        sys.stderr.write(f"lupus: {error}\n")
        return code_of(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # `lupus anomalies | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FINE
    return code


def _parsed(arguments: Optional[Sequence[str]]) -> argparse.Namespace:
    """Parse; NAME=VALUE may stand behind options, which argparse takes for unknown."""
    parser = _parser()
    asked, rest = parser.parse_known_args(arguments)
    takes_more = hasattr(asked, "metrics")
    if unknown := [one for one in rest if one.startswith("-") or not takes_more]:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    if rest:
        asked.metrics += rest
    return asked


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="lupus", description=_ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=VERSION)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--url", help="the service; LUPUS_URL")
    shared.add_argument(
        "--retry-for",
        type=float,
        default=300.0,
        metavar="SECONDS",
        help="how long to try again while the service is away (default: 300)",
    )
    for command in (send, detect, lists):
        command.add_to(commands, shared)
    return parser
