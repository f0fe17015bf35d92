"""A client of a running Lupus."""

import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Optional

from lupus.chart import Charts
from lupus.client.found import anomaly_rows, charts_of, query_of
from lupus.client.paging import every
from lupus.client.points import Collector, OnNan, Points
from lupus.client.question import After, Detector, Names, question
from lupus.client.run import Run
from lupus.client.send import Way, send_points
from lupus.client.sent import Sent
from lupus.client.service import Service
from lupus.errors import MetricsError
from lupus.rows import Rows

_SOURCE = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?")
_PATIENCE_SECONDS = 3600.0


class Client:
    """A client of a running Lupus.

    Parameters
    ----------
    url : str, optional
        Where the service is; else LUPUS_URL, else this machine.
    token : str, optional
        Who asks; else LUPUS_TOKEN, or the content of the file LUPUS_TOKEN_FILE, which is read
        again when the service does not know the token any more.
    ca_bundle : str, optional
        A file of certificate authorities; else LUPUS_CA_BUNDLE, else those of this machine.
    retry_for : float, optional
        Seconds for which a call is tried again while the service is away, busy or answers that
        something in it failed.

    Raises
    ------
    SettingsError
        If one of them cannot be used. Nothing is sent before the first call.

    Notes
    -----
    The environment's proxies (``HTTPS_PROXY``, ``NO_PROXY``) are used. Threads may share a client.
    """

    def __init__(
        self,
        url: Optional[str] = None,
        token: Optional[str] = None,
        *,
        ca_bundle: Optional[str] = None,
        retry_for: float = 300.0,
    ) -> None:
        self._service = Service(url, token, ca_bundle, retry_for)

    def __repr__(self) -> str:
        return f"Client({self._service.url!r})"

    def send(
        self,
        source: str,
        what: Any,
        at: Any = None,
        *,
        labels: Optional[Mapping[str, str]] = None,
        nan: OnNan = "error",
        dry_run: bool = False,
        wait: bool = True,
        timeout: float = _PATIENCE_SECONDS,
        progress: Optional[bool] = None,
    ) -> Sent:
        """Send metrics to a data source; they are stored and searchable when this returns.

        Everything is checked before anything is sent, and all of it is stored or nothing. Sending
        the same again, after a crash or in another try of the job, stores nothing twice.

        Parameters
        ----------
        source : str
            The data source, such as ``job.service1-recommend``.
        what : mapping, Metric, Metrics, an object with ``metrics()``, or a table
            Names with numbers; or what this library computed; or a pandas or Polars table in long
            form with the columns ``metric``, ``value``, maybe ``time``, and labels.
        at : date, datetime, numpy.datetime64, pandas.Timestamp or str
            Start of the interval that the metrics describe. A date is a day of the source's time
            zone; a datetime needs a time zone. Left out where a table has a column ``time``.
        labels : mapping of str to str, optional
            Added to the labels of every metric.
        nan : {"error", "skip", "remove"}, optional
            What happens with metrics that have no value (NaN, None): an error, left out and named
            in the result, or sent to remove the point that is there.
        dry_run : bool, optional
            Only check; nothing is sent.
        wait : bool, optional
            False returns as soon as the service has the points.
        timeout : float, optional
            Seconds to wait for points to be stored.
        progress : bool, optional
            Show a bar on standard error; None shows it on terminals.

        Raises
        ------
        MetricsError
            If a metric cannot be sent; it is named. Nothing was sent.
        PointsError, RefusedError
            If the service refuses them. Nothing was stored.
        UnreachableError
            If the service did not answer for ``retry_for`` seconds; send it again.
        WaitError
            If they are not stored in time; the service goes on.

        Examples
        --------
        >>> from datetime import date
        >>> day = date(2026, 11, 8)
        >>> sent = Client().send("job.ranking", {"ndcg@10": 0.41}, at=day, dry_run=True)
        >>> print(sent)
        job.ranking: 1 point dry run
        """
        collector = Collector(nan)
        collector.add(what, at, labels)
        points = collector.finish()
        way = Way(timeout if wait else None, progress)
        return self._sent(source, points, way, dry_run)

    @contextmanager
    def batch(
        self,
        source: str,
        *,
        nan: OnNan = "error",
        dry_run: bool = False,
        progress: Optional[bool] = None,
    ) -> Iterator["Batch"]:
        """Collect many sends and send them as one when the block ends; after an error nothing.

        Examples
        --------
        >>> with Client().batch("job.ranking", dry_run=True) as batch:
        ...     for day in ("2026-11-07", "2026-11-08"):
        ...         batch.send({"ndcg@10": 0.41}, at=day)
        >>> print(batch.sent)
        job.ranking: 2 points dry run
        """
        _check_source(source)
        batch = Batch(nan)
        yield batch
        batch.sent = self._sent(source, batch.finish(), Way(_PATIENCE_SECONDS, progress), dry_run)

    def detect(
        self,
        source: str,
        metric: Names,
        detector: Detector = "auto",
        *,
        last: Optional[str] = None,
        start: Any = None,
        end: Any = None,
        rule: Optional[str] = None,
        labels: Optional[Mapping[str, Any]] = None,
        after: After = None,
        key: Optional[str] = None,
        **more: Any,
    ) -> Run:
        """Ask for a detection; it runs in the service.

        Parameters
        ----------
        source : str
            The data source.
        metric : str or sequence of str
            Names, or globs with ``*`` and ``?``.
        detector : str or mapping
            A type, or ``{"type": "window", "k": 4}``: docs/detectors says which there are.
        last : str, optional
            How far back from now, such as ``7d``; with ``align=`` and ``delay=``.
        start, end : date, datetime or str, optional
            Instead of ``last``; the end is exclusive.
        rule : str, optional
            Name of the check; a later run of it replaces what it said before. Without one
            nothing is stored.
        labels : mapping, optional
            Conditions: a value, a list (any of), ``"!value"`` (not it), None (no such label).
        after : Sent, str, or sequence of them, optional
            What must be stored before.
        key : str, optional
            Who asks again with the same key within 7 days gets the same run, such as the id of a
            scheduler's run. Default: a new one.
        **more
            ``notify``, ``store``, ``join``, ``require_points``: as the service takes them.

        Returns
        -------
        Run
            ``.wait()`` waits for its end.
        """
        asked = question(
            source,
            metric,
            detector,
            last=last,
            start=start,
            end=end,
            after=after,
            rule=rule,
            labels=labels,
            **more,
        )
        return self.ask(asked, key)

    def ask(self, request: Mapping[str, Any], key: Optional[str] = None) -> Run:
        """Ask for a detection by a whole request, as ``POST /v1/detections`` takes it."""
        answer = self._service.post(
            ("detections",), dict(request), key=key or f"lupus-{uuid.uuid4().hex}"
        )
        return Run(self._service, answer.json)

    def estimate(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Say what a request would do: ``series``, ``points``, ``core_seconds``; nothing is run."""
        answer = self._service.post(("detections",), dict(request), {"dry_run": "true"})
        found: Mapping[str, Any] = answer.json
        return found

    def run(self, id_: str) -> Run:
        """Give a run by its id."""
        return Run(self._service, self._service.get("detections", id_))

    def runs(self, *, most: int = 100, **which: Any) -> list[Run]:
        """Give runs, newest first; ``source=``, ``rule=``, ``state=``, ``detector=`` select."""
        found = every(self._service, ("detections",), query_of(which), most)
        return [Run(self._service, document) for document in found]

    def anomalies(self, *, most: int = 10_000, **which: Any) -> Rows:
        """Give anomalies, newest first.

        Parameters
        ----------
        most : int
            At most so many.
        **which
            ``source``, ``metric``, ``rule``, ``labels``, ``start``, ``end``, ``min_severity``,
            ``status`` (``found`` unless it is given), ``verdict``, ``run``.
        """
        return anomaly_rows(self._service, {"status": "found", **which}, most)

    def points(
        self,
        source: str,
        metric: Names = "*",
        *,
        rule: Optional[str] = None,
        labels: Optional[Mapping[str, Any]] = None,
        start: Any = None,
        end: Any = None,
    ) -> Charts:
        """Give series with their points, and the bands and anomalies of a rule.

        Parameters
        ----------
        start, end : date, datetime or str, optional
            Default: the last 28 days. Of more than 100,000 points the lowest and highest are kept.
        """
        which = {"source": source, "metric": metric, "rule": rule, "labels": labels}
        return charts_of(self._service, {**which, "start": start, "end": end})

    def sources(self) -> Rows:
        """Give the data sources that the caller may see."""
        shown = ("name", "kind", "timezone", "updated_at")
        return Rows(list(every(self._service, ("sources",), {})), shown, "source")

    def _sent(self, source: str, points: Points, way: Way, dry_run: bool) -> Sent:
        _check_source(source)
        if dry_run:
            return Sent(source, len(points), (), "dry run", tuple(points.skipped))
        return send_points(self._service, source, points, way)


class Batch:
    """Metrics that wait for the end of their block; ``sent`` is there after it."""

    sent: Sent

    def __init__(self, nan: OnNan = "error") -> None:
        self._collector = Collector(nan)

    def __len__(self) -> int:
        return len(self._collector)

    def send(
        self, what: Any, at: Any = None, *, labels: Optional[Mapping[str, str]] = None
    ) -> None:
        """Keep metrics until the block ends; what is wrong with them is said here."""
        self._collector.add(what, at, labels)

    def finish(self) -> Points:
        """Give all that was kept."""
        return self._collector.finish()


def _check_source(source: str) -> None:
    if not isinstance(source, str) or not _SOURCE.fullmatch(source):
        raise MetricsError(
            f"source {source!r} is no name: allowed are 1 to 63 of a-z 0-9 . _ - beginning and "
            "ending with a letter or digit"
        )
