"""What checking a frame found."""

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from lupus.checks.finding import Finding
from lupus.errors import CheckFailedError
from lupus.metric import Metric
from lupus.metrics import Metrics

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = 20
_EXAMPLES = 10


@dataclass(frozen=True)
class Result:
    """What checking a frame found.

    Parameters
    ----------
    findings : tuple of Finding
        Of all checks, in the order of the schema.
    """

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether no check of severity ``fail`` failed."""
        return not self.failures

    @property
    def failures(self) -> list[Finding]:
        """Checks of severity ``fail`` that failed."""
        return [one for one in self.findings if one.ok is False and one.severity == "fail"]

    @property
    def warnings(self) -> list[Finding]:
        """Checks of severity ``warn`` that failed."""
        return [one for one in self.findings if one.ok is False and one.severity == "warn"]

    def metrics(self) -> Metrics:
        """Give what each check measured, and how many failed."""
        return Metrics(self._metrics())

    def raise_if_failed(self) -> None:
        """Raise CheckFailedError that says what was seen and what was allowed, if not ``ok``."""
        if self.ok:
            return
        failures = self.failures
        lines = [f"- {one}" for one in failures[:_SHOWN]]
        more = [f"- and {len(failures) - _SHOWN} more"] * (len(failures) > _SHOWN)
        checks = "check" if len(failures) == 1 else "checks"
        raise CheckFailedError("\n".join([f"{len(failures)} {checks} failed", *lines, *more]))

    def to_pandas(self) -> "pd.DataFrame":
        """One row a check: column, check, outcome, seen, allowed, examples."""
        import pandas as pd  # noqa: PLC0415  only who asks for a table needs it

        names = ["column", "check", "outcome", "seen", "allowed", "examples"]
        return pd.DataFrame(list(self._rows()), columns=names)

    def __str__(self) -> str:
        rows = [row for row in self._rows() if row[2] != "ok"]
        tried = sum(one.ok is not None for one in self.findings)
        head = (
            f"{len(self.failures)} failed, {len(self.warnings)} warned, "
            f"{tried - len(self.failures) - len(self.warnings)} passed"
        )
        lines = [
            f"{outcome:7} {column + '.' if column else ''}{name}: {seen}"
            f"{': ' + examples if examples else ''} (allowed: {allowed})"
            for column, name, outcome, seen, allowed, examples in rows
        ]
        return "\n".join([head, *lines])

    def __repr__(self) -> str:
        return f"<Result: {self}>"

    def _repr_html_(self) -> str:
        names = ("column", "check", "outcome", "seen", "allowed", "examples")
        head = "".join(f"<th>{name}</th>" for name in names)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
            for row in self._rows()
        )
        return f"<table><tr>{head}</tr>{body}</table>"

    def _rows(self) -> Iterator[tuple[str, str, str, str, str, str]]:
        for one in self.findings:
            outcome = {True: "ok", None: "none"}.get(one.ok, one.severity)
            some = ", ".join(one.examples[:_EXAMPLES]) if one.ok is False else ""
            yield one.column or "", one.check, outcome, one.said, one.allowed, some

    def _metrics(self) -> Iterator[Metric]:
        yield Metric("checks.failed", float(len(self.failures)))
        yield Metric("checks.warned", float(len(self.warnings)))
        yield Metric("checks.passed", float(sum(one.ok is True for one in self.findings)))
        for one in self.findings:
            for name, value in one.measures.items():
                prefix = "" if one.column is None else f"{one.column}."
                finite = value is not None and abs(value) != float("inf")
                yield Metric(f"{prefix}{name}", value if finite else None)
