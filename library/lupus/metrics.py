"""Numbers that belong together: what a job computed, and sends in one piece."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Optional, Union, overload

from lupus.errors import MetricsError
from lupus.metric import Metric

if TYPE_CHECKING:
    import pandas as pd

SHOWN_ROWS = 100


class Metrics(Sequence[Metric]):
    """An immutable list of metrics, each name and labels at most once.

    Parameters
    ----------
    metrics : mapping of str to float, or iterable of Metric
        Names and their values, or metrics.

    Raises
    ------
    MetricsError
        If a metric is there twice, or a name or a label is none that the server takes.

    Examples
    --------
    >>> metrics = Metrics({"rows": 1200, "ndcg@10": 0.41}).labelled(region="jp")
    >>> print(metrics)
    rows{region="jp"} 1200.0
    ndcg@10{region="jp"} 0.41
    >>> metrics["rows"]
    1200.0
    """

    def __init__(
        self, metrics: Union[Mapping[str, Optional[float]], Iterable[Metric]] = ()
    ) -> None:
        given = (
            (
                Metric(name, None if value is None else float(value))
                for name, value in metrics.items()
            )
            if isinstance(metrics, Mapping)
            else metrics
        )
        self._metrics: tuple[Metric, ...] = tuple(given)
        seen: set[tuple[str, frozenset[tuple[str, str]]]] = set()
        for metric in self._metrics:
            key = (metric.name, frozenset(metric.labels.items()))
            if key in seen:
                raise MetricsError(f"{_identity(metric)} is there twice")
            seen.add(key)

    @overload
    def __getitem__(self, at: str) -> Optional[float]: ...
    @overload
    def __getitem__(self, at: int) -> Metric: ...
    @overload
    def __getitem__(self, at: slice) -> "Metrics": ...
    def __getitem__(self, at: Union[str, int, slice]) -> Union[float, Metric, "Metrics", None]:
        """Give the value of a name that is there once, a metric by its place, or a part."""
        if isinstance(at, str):
            return self._value(at)
        return Metrics(self._metrics[at]) if isinstance(at, slice) else self._metrics[at]

    def __len__(self) -> int:
        return len(self._metrics)

    def __iter__(self) -> Iterator[Metric]:
        return iter(self._metrics)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Metrics) and self._metrics == other._metrics

    def __hash__(self) -> int:
        return hash(tuple((metric.name, metric.value) for metric in self._metrics))

    def __add__(self, other: "Metrics") -> "Metrics":
        """Both, one after the other."""
        return Metrics((*self, *other)) if isinstance(other, Metrics) else NotImplemented

    def __str__(self) -> str:
        return "\n".join(map(str, self._metrics))

    def __repr__(self) -> str:
        return f"<Metrics: {len(self)}>\n{Metrics(self._metrics[:SHOWN_ROWS])}"

    def _repr_html_(self) -> str:
        labels = self.label_names
        head = "".join(f"<th>{escape(name)}</th>" for name in ("metric", *labels, "value"))
        rows = "".join(
            f"<tr><td>{escape(metric.name)}</td>"
            + "".join(f"<td>{escape(metric.labels.get(label, ''))}</td>" for label in labels)
            + f"<td>{'' if metric.value is None else format(metric.value, '.6g')}</td></tr>"
            for metric in self._metrics[:SHOWN_ROWS]
        )
        more = len(self) - SHOWN_ROWS
        return f"<table><tr>{head}</tr>{rows}</table>" + (f"<p>and {more} more</p>" * (more > 0))

    @property
    def label_names(self) -> list[str]:
        """Names of all labels, sorted."""
        return sorted({label for metric in self._metrics for label in metric.labels})

    def metrics(self) -> "Metrics":
        """Give these; whatever has metrics (statistics, an evaluation, checks) has this method."""
        return self

    def labelled(self, **labels: str) -> "Metrics":
        """Give the same metrics with these labels besides; one that is there is replaced."""
        return Metrics(
            Metric(metric.name, metric.value, {**metric.labels, **labels})
            for metric in self._metrics
        )

    def prefixed(self, prefix: str) -> "Metrics":
        """Give the same metrics with this before each name, such as ``train.``."""
        return Metrics(
            Metric(f"{prefix}{metric.name}", metric.value, metric.labels)
            for metric in self._metrics
        )

    def to_dict(self) -> dict[str, Optional[float]]:
        """Values by name; MetricsError where a name is there with several labels."""
        return {metric.name: self._value(metric.name) for metric in self._metrics}

    def to_pandas(self) -> "pd.DataFrame":
        """One row a metric: ``metric``, a column for each label, ``value``."""
        import pandas as pd  # noqa: PLC0415  only who asks for a table needs it

        rows: list[dict[str, Any]] = [
            {"metric": metric.name, **metric.labels, "value": metric.value}
            for metric in self._metrics
        ]
        return pd.DataFrame(rows, columns=["metric", *self.label_names, "value"])

    def _value(self, name: str) -> Optional[float]:
        found = [metric for metric in self._metrics if metric.name == name]
        if not found:
            raise KeyError(name)
        if len(found) > 1:
            raise MetricsError(
                f"{name} is there with {len(found)} different labels: choose by them"
            )
        return found[0].value


def _identity(metric: Metric) -> str:
    return str(metric).rsplit(" ", 1)[0]
