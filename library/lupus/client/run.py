"""One detection and its outcome."""

import time
from collections.abc import Mapping
from html import escape
from typing import Any, Optional

from lupus.chart import Charts
from lupus.client.found import anomaly_rows, charts_of
from lupus.client.paging import every
from lupus.client.progress import Progress
from lupus.client.service import Service
from lupus.errors import LupusError, WaitError
from lupus.rows import Rows

ENDED = ("succeeded", "partial", "failed", "cancelled")
_PATIENCE_SECONDS, _TERMINALS_PATIENCE_SECONDS = 20.0, 2.0
_SERIES = ("name", "points", "judged", "anomalous", "no_data", "insufficient_history", "error")


class Run:
    """One detection run; it goes on in the service whatever becomes of this object.

    Parameters
    ----------
    service : Service
    document : mapping
        What the service said of it last; ``GET /v1/detections/{id}`` has its fields.
    """

    def __init__(self, service: Service, document: Mapping[str, Any]) -> None:
        self._service = service
        self.document = document

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.document["id"])

    @property
    def state(self) -> str:
        """Give ``queued``, ``running``, ``publishing``, or how it ended, as it was seen last."""
        return str(self.document["state"])

    @property
    def over(self) -> bool:
        """Whether it has ended: ``succeeded``, ``partial``, ``failed`` or ``cancelled``."""
        return self.state in ENDED

    @property
    def counts(self) -> Mapping[str, int]:
        """Series and verdicts, once it is over."""
        return self.document["counts"] or {}

    @property
    def error(self) -> str:
        """Why it failed; empty if it did not."""
        return str(self.document["error"])

    @property
    def report_url(self) -> str:
        """Where people look at it."""
        return f"{self._service.url}/v1/detections/{self.id}/report"

    def refresh(self) -> "Run":
        """Look again; gives itself."""
        self.document = self._service.get("detections", self.id)
        return self

    def wait(self, timeout: float = 3600.0, *, progress: Optional[bool] = None) -> "Run":
        """Wait until it is over; gives itself, however it ended.

        Parameters
        ----------
        timeout : float
            Seconds.
        progress : bool, optional
            Show how far it is on standard error; None shows it on terminals.

        Raises
        ------
        WaitError
            If it is not over in time; it goes on.
        """
        give_up = time.monotonic() + timeout
        with Progress(progress) as told:
            while not self.over:
                left = give_up - time.monotonic()
                if left <= 0:
                    raise WaitError(
                        f"run {self.id} is {self.state} after {timeout:g} s; it goes on"
                    )
                told.say(self._words(), self._share())
                longest = _TERMINALS_PATIENCE_SECONDS if told.shown else _PATIENCE_SECONDS
                patience = f"{max(1, round(min(left, longest)))}s"
                self.document = self._service.get("detections", self.id, query={"wait": patience})
        return self

    def cancel(self) -> "Run":
        """End it; RefusedError once it has published."""
        self.document = self._service.post(("detections", self.id, "cancel"), {}).json
        return self

    def anomalies(self, *, only_new: bool = False, **which: Any) -> Rows:
        """Give the anomalies of its rule in its range.

        Parameters
        ----------
        only_new : bool
            Only what this run found or changed, not what earlier runs of its rule had found.
        **which
            More conditions, as ``Client.anomalies`` takes them.
        """
        document = self.document
        if not document["rule"] or not document["request"].get("store", True):
            raise LupusError(
                f"run {self.id} stored nothing, for it has no rule: series() counts what it "
                f"found, {self.report_url} shows it; with rule= the anomalies are kept"
            )
        query = {
            "source": document["source"],
            "rule": document["rule"],
            "status": "found",
            "start": document["range"]["start"],
            "end": document["range"]["end"],
            "run": self.id if only_new else None,
            **which,
        }
        return anomaly_rows(self._service, query)

    def series(self) -> Rows:
        """Give what became of each series: points judged, and not judged and why."""
        rows = list(every(self._service, ("detections", self.id, "series"), {}))
        return Rows(rows, _SERIES, "series")

    def charts(self) -> Charts:
        """Give the points of its range with its rule's bands and anomalies; calm series too."""
        document = self.document
        query = {
            "source": document["source"],
            "metric": document["request"]["metric"],
            "rule": document["rule"],
            "start": document["range"]["start"],
            "end": document["range"]["end"],
        }
        return charts_of(self._service, query)

    def __str__(self) -> str:
        what = self.document["rule"] or "without a rule"
        line = f"{self.document['source']} {what}: {self._words()}"
        return f"{line}: {self.error}" if self.error else line

    def __repr__(self) -> str:
        return f"<Run {self.id} {self}>"

    def _repr_html_(self) -> str:
        link = f'<a href="{escape(self.report_url, quote=True)}">report</a>'
        return f"<p>{escape(str(self))} ({link})</p>"

    def _words(self) -> str:
        document, counts = self.document, self.counts
        words = [self.state]
        if self.over and counts:
            words.append(
                f"{counts.get('anomalous', 0):,} anomalous of {counts.get('judged', 0):,} judged "
                f"points in {counts.get('series', 0):,} series"
            )
        if ahead := document["queue"]["ahead"]:
            words.append(f"{ahead} runs ahead")
        return ", ".join(words)

    def _share(self) -> Optional[float]:
        told = self.document["progress"] or {}
        if not told.get("chunks"):
            return None
        return float(min(1.0, told.get("chunks_done", 0) / told["chunks"]))
