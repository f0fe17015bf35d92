"""A client of a running Lupus."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Optional

from lupus.client.points import Collector, OnNan, Points
from lupus.client.send import Way, send_points
from lupus.client.sent import Sent
from lupus.client.service import Service
from lupus.errors import MetricsError

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
