"""Why a run judged nothing, where more history is all that it takes."""

from service.notifications.not_judged import short_text
from workflows.report import Report


def of_report(report: Report, timezone: str) -> str:
    """The report's error, and from when on there is history enough if that is what it lacks."""
    short = short_text(report, timezone)
    if report.outcome != "partial" or report.counts.get("judged", 0) or not short:
        return report.error
    hope = "" if report.ready_at_ms is None else ", if points keep arriving as they did"
    return f"{report.error}: {short}{hope}"
