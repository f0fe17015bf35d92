"""Logs to an MLflow server as its users do, with times of one's own choice."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import httpx2

DAY_MS = 86_400_000
# 2026-06-01T00:00:00Z
FIRST_MS = 1_780_272_000_000


class Tracker:
    """An MLflow server, by its REST API."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx2.Client(base_url=f"{url}/api/2.0/mlflow/", timeout=60, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def call(self, path: str, method: str = "POST", **body: Any) -> Any:
        answer = self._http.request(method, path, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def experiment(self, name: str) -> str:
        return str(self.call("experiments/create", name=name)["experiment_id"])

    def run(
        self,
        experiment: str,
        end_ms: int | None,
        metrics: Mapping[str, float],
        params: Mapping[str, str] | None = None,
        start_ms: int = FIRST_MS,
        name: str = "train",
    ) -> str:
        """A run with values of one time, its end; without an end it goes on."""
        made = self.call(
            "runs/create", experiment_id=experiment, start_time=start_ms, run_name=name
        )
        run = str(made["run"]["info"]["run_id"])
        self.log(run, [(key, value, end_ms or start_ms) for key, value in metrics.items()], params)
        if end_ms is not None:
            self.call("runs/update", run_id=run, status="FINISHED", end_time=end_ms)
        return run

    def log(
        self,
        run: str,
        values: Sequence[tuple[str, float, int]],
        params: Mapping[str, str] | None = None,
    ) -> None:
        logged = [
            {"key": key, "value": _written(value), "timestamp": time_ms, "step": step}
            for step, (key, value, time_ms) in enumerate(values)
        ]
        given = [{"key": key, "value": value} for key, value in (params or {}).items()]
        self.call("runs/log-batch", run_id=run, metrics=logged, params=given)

    def model(self, name: str) -> str:
        self.call("registered-models/create", name=name)
        return name

    def version(self, model: str, run: str) -> tuple[str, int]:
        """A new version, its number and the time that the server gave it."""
        found = self.call("model-versions/create", name=model, source=f"runs:/{run}/m", run_id=run)
        made = found["model_version"]
        return str(made["version"]), int(made["creation_timestamp"])


def _written(value: float) -> float | str:
    if math.isnan(value):
        return "NaN"
    return ("Infinity" if value > 0 else "-Infinity") if math.isinf(value) else value
