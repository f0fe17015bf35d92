"""Where people find the report of a run: the address that messages carry."""

from dataclasses import dataclass

from service.auth.report_key import PARAMETER, ReportKeys


@dataclass(frozen=True)
class ReportLinks:
    """Addresses of reports below the public URL; without one there are none."""

    public_url: str = ""
    keys: ReportKeys | None = None

    def of(self, run: str, now_ms: int) -> str | None:
        """The address of one run's report, with a key that opens it for a time."""
        if not self.public_url:
            return None
        return report_link(self.public_url, self.keys, run, now_ms)


def report_link(public_url: str, keys: ReportKeys | None, run: str, now_ms: int) -> str:
    """The address of a run's report; the end of its key's life is fixed with it."""
    address = f"{public_url.rstrip('/')}/v1/detections/{run}/report"
    return address if keys is None else f"{address}?{PARAMETER}={keys.make(run, now_ms)}"
