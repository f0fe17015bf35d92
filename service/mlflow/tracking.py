"""What an MLflow server knows: experiments, runs, histories of metrics, versions of models."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from service.cli.exits import FAILED, EndedError
from service.mlflow.server import Content, Server

_VERSIONS_PER_PAGE = 200
_HISTORY_PER_PAGE = 2000
_PARENT = "mlflow.parentRunId"

Made = TypeVar("Made")


@dataclass(frozen=True)
class Experiment:
    """A place of runs."""

    id: str
    name: str


@dataclass(frozen=True)
class Value:
    """One logged value of a metric; ``dataset`` is empty where none was named."""

    metric: str
    value: float
    time_ms: int
    dataset: str = ""


@dataclass(frozen=True)
class Run:
    """A run with the last value of each of its metrics; ``end_ms`` is None while it goes on."""

    id: str
    name: str
    end_ms: int | None
    status: str  # RUNNING, SCHEDULED, FINISHED, FAILED or KILLED
    is_child: bool  # of another run, as a search of parameters makes them
    values: Sequence[Value]
    params: Mapping[str, str]
    dataset: str  # the only one that was an input of it


@dataclass(frozen=True)
class Model:
    """A registered model."""

    name: str
    updated_ms: int


@dataclass(frozen=True)
class Version:
    """A version of a registered model; ``run`` is empty where it came from none."""

    model: str
    number: str
    created_ms: int
    run: str


class Tracking:
    """Reads them page by page; ``per_page`` runs are in memory at once."""

    def __init__(self, server: Server, per_page: int) -> None:
        self._server = server
        self._per_page = per_page

    @property
    def url(self) -> str:
        return self._server.url

    def experiments(self) -> Iterator[Experiment]:
        """Those that are not deleted."""
        for page in self._server.pages("POST", "experiments/search", max_results=1000):
            for found in _rows(page, "experiments"):
                yield _parsed("experiments/search", _experiment, found)

    def ended(self, experiment: str, since_ms: int) -> Iterator[Run]:
        """Runs that ended at ``since_ms`` or later, in the order of their ends.

        MLflow's pages count rows: a run deleted meanwhile moves another over the edge of a page,
        and a server or proxy may cut a list short. So what ended last is asked from again, until
        that brings nothing new.
        """
        reached, known = since_ms, set[str]()
        while True:
            fresh = False
            for run in self._search(experiment, f"attributes.end_time >= {reached}"):
                if run.end_ms is None or run.end_ms < reached or run.id in known:
                    continue
                if run.end_ms > reached:
                    reached, known = run.end_ms, set()
                known.add(run.id)
                fresh = True
                yield run
            if not fresh:
                return

    def going_on(self, experiment: str) -> Iterator[Run]:
        """Runs that have not ended."""
        return self._search(experiment, "attributes.status = 'RUNNING'")

    def history(self, run: str, metric: str) -> Iterator[Value]:
        """Every value of a metric, in the server's order of time."""
        query = {"run_id": run, "metric_key": metric, "max_results": _HISTORY_PER_PAGE}
        for page in self._server.pages("GET", "metrics/get-history", **query):
            for found in _rows(page, "metrics"):
                yield _parsed("metrics/get-history", _value, found)

    def models(self) -> Iterator[Model]:
        """All registered models."""
        for page in self._server.pages("GET", "registered-models/search", max_results=100):
            for found in _rows(page, "registered_models"):
                yield _parsed("registered-models/search", _model, found)

    def versions(self, model: str) -> list[Version]:
        """All versions of a model, the oldest first."""
        quote = '"' if "'" in model else "'"
        query = {"filter": f"name={quote}{model}{quote}", "max_results": _VERSIONS_PER_PAGE}
        found = [
            _parsed("model-versions/search", _version, row)
            for page in self._server.pages("GET", "model-versions/search", **query)
            for row in _rows(page, "model_versions")
        ]
        return sorted(found, key=lambda one: (one.created_ms, len(one.number), one.number))

    def run(self, id_: str) -> Run | None:
        """A run by its id, deleted ones too; None when nothing is left of it."""
        try:
            found = self._server.get("runs/get", run_id=id_)
        except EndedError as error:
            if "RESOURCE_DOES_NOT_EXIST" in str(error):
                return None
            raise
        return _parsed("runs/get", lambda answer: _run(answer["run"]), found)

    def _search(self, experiment: str, filter_: str) -> Iterator[Run]:
        query = {
            "experiment_ids": [experiment],
            "filter": filter_,
            "run_view_type": "ACTIVE_ONLY",
            "order_by": ["attributes.end_time ASC", "attributes.start_time ASC"],
            "max_results": self._per_page,
        }
        for page in self._server.pages("POST", "runs/search", **query):
            for found in _rows(page, "runs"):
                yield _parsed("runs/search", _run, found)


def _parsed(path: str, make: Callable[[Content], Made], row: Content) -> Made:
    """What is made of a row; one that lacks what MLflow's have ends the command."""
    try:
        return make(row)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise EndedError(
            FAILED, f"{path}: an answer is not as MLflow's are ({error!r})"[:300]
        ) from None


def _rows(page: Content, name: str) -> Sequence[Mapping[str, Any]]:
    rows = page.get(name) or []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise EndedError(FAILED, f"an answer is not as MLflow's are: {name} is no list of objects")
    return rows


def _value(found: Mapping[str, Any]) -> Value:
    # JSON has no NaN: MLflow writes it, and infinities, as text.
    return Value(
        str(found["key"]),
        float(found["value"]),
        int(found["timestamp"]),
        str(found.get("dataset_name") or ""),
    )


def _run(found: Mapping[str, Any]) -> Run:
    info, data = found["info"], found.get("data") or {}
    inputs = (found.get("inputs") or {}).get("dataset_inputs") or []
    datasets = {str(one["dataset"]["name"]) for one in inputs}
    end = info.get("end_time")
    return Run(
        id=str(info["run_id"]),
        name=str(info.get("run_name") or ""),
        end_ms=int(end) if end else None,
        status=str(info.get("status") or ""),
        is_child=any(one["key"] == _PARENT for one in data.get("tags") or []),
        values=[_value(one) for one in data.get("metrics") or []],
        params={str(one["key"]): str(one.get("value", "")) for one in data.get("params") or []},
        dataset=datasets.pop() if len(datasets) == 1 else "",
    )


def _experiment(found: Mapping[str, Any]) -> Experiment:
    return Experiment(str(found["experiment_id"]), str(found["name"]))


def _model(found: Mapping[str, Any]) -> Model:
    return Model(str(found["name"]), int(found.get("last_updated_timestamp") or 0))


def _version(found: Mapping[str, Any]) -> Version:
    return Version(
        str(found["name"]),
        str(found["version"]),
        int(found["creation_timestamp"]),
        str(found.get("run_id") or ""),
    )
