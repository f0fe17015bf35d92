"""Why a run judged nothing, where more history is all that it takes."""

from service.notifications.wording import local
from workflows.report import Report


def of_report(report: Report, timezone: str) -> str:
    """The report's error, and from when on there is history enough if that is what it lacks."""
    lacking = report.counts.get("insufficient_history", 0)
    if report.outcome != "partial" or report.counts.get("judged", 0) or not lacking:
        return report.error
    said = (
        f"{report.error}: history is short, {lacking} points have fewer points before them than "
        "the detector needs; "
    )
    if report.ready_at_ms is None:
        return f"{said}send older points too, or choose a detector that needs fewer"
    at = local(report.ready_at_ms, timezone).isoformat()
    return f"{said}if points keep arriving as they did, all series can be judged from {at} on"
