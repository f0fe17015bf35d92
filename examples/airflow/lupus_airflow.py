"""Lupus in Airflow 3: `LupusDetection` asks for a detection, defers, and fails on what it finds.

Copy this file into Airflow's plugins folder: workers and the triggerer both import it from there.
It needs nothing but Airflow. The connection (`lupus_default`) has the service's URL as host and a
token as password; `{"verify": "/path/ca.pem"}` as extra names a private certificate authority.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import httpx
from airflow.sdk import BaseHook, BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from airflow.triggers.base import BaseTrigger, TriggerEvent

ENDED = ("succeeded", "partial", "failed", "cancelled")
EXCUSED = ("expected", "false")  # people have said that such an anomaly is none
AWAY = (429, 502, 503, 504)  # nothing was done, and another try may help
WAIT = "50s"  # proxies often give up after 60
TIMEOUT_SECONDS = 70.0


class LupusDetection(BaseOperator):
    """Ask for a detection and wait for it without a worker.

    ``request`` is the body of POST /v1/detections, templates included: take the range from the
    data interval, so that a task that is cleared later judges the same days again. A retry finds
    the run that an earlier try asked for; when that is over already, it is run again over the same
    range. The task fails, without a retry, on anomalies of at least ``fail_on`` (None: on none),
    and with retries when the run did not succeed. XCom has the run, its counts and `found`, as
    return value, or as `lupus` when the task fails.
    """

    template_fields: Sequence[str] = ("request", "fail_on")

    def __init__(
        self,
        *,
        request: Mapping[str, Any],
        fail_on: str | None = "major",
        only_new: bool = False,
        conn_id: str = "lupus_default",
        away_seconds: float = 3600.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.request = request
        self.fail_on = fail_on
        self.only_new = only_new  # count what this run found, not what earlier runs had
        self.conn_id = conn_id
        self.away_seconds = away_seconds  # how long the service may be away before a try fails
        self._run: str | None = None

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Ask, and leave the rest to the triggerer."""
        ti = context["ti"]
        key = f"airflow/{ti.dag_id}/{ti.run_id}/{ti.task_id}/{ti.map_index}"
        answer = self._ask("POST", "/v1/detections", key, json=self.request)
        run = answer.json()
        if run["state"] in ENDED and "idempotency-replayed" in answer.headers:
            again = f"/v1/detections/{run['id']}/rerun"
            run = self._ask("POST", again, f"{key}/{ti.try_number}").json()
        self._run = run["id"]
        self.log.info("run %s of %s: %s", run["id"], run["source"], run["links"]["self"])
        self.defer(
            trigger=LupusRunTrigger(run["id"], self.conn_id, self.away_seconds),
            method_name="conclude",
            timeout=self.execution_timeout,
        )

    def conclude(self, context: Mapping[str, Any], event: Mapping[str, Any]) -> dict[str, Any]:
        """Go on when the triggerer has seen the run's end."""
        if error := event.get("error"):
            raise AirflowException(error)
        run = self._ask("GET", f"/v1/detections/{event['run']}").json()
        found = self._count(run)
        told = {
            "run": run["id"],
            "state": run["state"],
            "counts": run["counts"],
            "found": found,
            "url": run["links"].get("report") or run["links"]["self"],
        }
        if run["state"] == "succeeded" and not found:
            return told
        context["ti"].xcom_push(key="lupus", value=told)
        if run["state"] != "succeeded":
            raise AirflowException(f"run {run['id']} {run['state']}: {run['error'] or told['url']}")
        raise AirflowFailException(
            f"run {run['id']}: {found} anomalies of {self.fail_on} or worse, see {told['url']}"
        )

    def on_kill(self) -> None:
        """Cancel the run when the task is killed before it has deferred."""
        if self._run is not None:
            with _client(BaseHook.get_connection(self.conn_id)) as http:
                http.post(f"/v1/detections/{self._run}/cancel")

    def _count(self, run: Mapping[str, Any]) -> int:
        if self.fail_on is None:
            return 0
        if run["rule"] is None or not run["request"].get("store", True):
            return (run["counts"] or {}).get("anomalous", 0)  # nothing is stored of it
        query = {
            "source": run["source"],
            "rule": run["rule"],
            "status": "found",
            "min_severity": self.fail_on,
            **run["range"],
            "limit": 1000,
        }
        query |= {"run": run["id"]} if self.only_new else {}
        found = 0
        while True:
            page = self._ask("GET", "/v1/anomalies", params=query).json()
            found += sum(one["verdict"] not in EXCUSED for one in page["items"])
            if not page["cursor"]:
                return found
            query["cursor"] = page["cursor"]

    def _ask(self, method: str, path: str, key: str = "", **more: Any) -> httpx.Response:
        """The answer; asked again while the service is away, which the key makes safe."""
        give_up = time.monotonic() + self.away_seconds
        headers = {"Idempotency-Key": key} if key else {}
        with _client(BaseHook.get_connection(self.conn_id)) as http:
            for attempt in range(1_000_000):
                try:
                    answer = http.request(method, path, headers=headers, **more)
                except httpx.TransportError as error:
                    reason = f"{http.base_url} does not answer: {error!r}"
                else:
                    if answer.is_success:
                        return answer
                    reason = _words(answer)
                    if answer.status_code not in AWAY:
                        raise AirflowFailException(reason)
                if time.monotonic() >= give_up:
                    break
                self.log.warning("%s; trying again", reason)
                time.sleep(_pause(attempt))
        raise AirflowException(reason)


class LupusRunTrigger(BaseTrigger):
    """Wait for the end of a run; hundreds of them fit one triggerer."""

    def __init__(self, run: str, conn_id: str, away_seconds: float) -> None:
        super().__init__()
        self.run_id = run
        self.conn_id = conn_id
        self.away_seconds = away_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """What another process makes the same trigger of; no token is in it."""
        arguments = {
            "run": self.run_id,
            "conn_id": self.conn_id,
            "away_seconds": self.away_seconds,
        }
        return f"{type(self).__module__}.{type(self).__name__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """One event: the run is over, or cannot be watched any more."""
        path, attempt, give_up = f"/v1/detections/{self.run_id}", 0, None
        while True:
            async with _async_client(await BaseHook.aget_connection(self.conn_id)) as http:
                try:
                    answer = await http.get(path, params={"wait": WAIT})
                except httpx.TransportError as error:
                    reason = f"{http.base_url} does not answer: {error!r}"
                else:
                    reason = "" if answer.is_success else _words(answer)
                    if answer.is_success and (state := answer.json()["state"]) in ENDED:
                        yield TriggerEvent({"run": self.run_id, "state": state})
                        return
                    if reason and answer.status_code not in AWAY:
                        yield TriggerEvent({"run": self.run_id, "error": reason})
                        return
            if not reason:
                attempt, give_up = 0, None
                continue
            give_up = give_up or time.monotonic() + self.away_seconds
            if time.monotonic() >= give_up:
                yield TriggerEvent({"run": self.run_id, "error": reason})
                return
            self.log.warning("%s; trying again", reason)
            await asyncio.sleep(_pause(attempt))
            attempt += 1

    async def on_kill(self) -> None:
        """Cancel the run when somebody clears or marks the deferred task."""
        async with _async_client(await BaseHook.aget_connection(self.conn_id)) as http:
            await http.post(f"/v1/detections/{self.run_id}/cancel")


def _client(conn: Any) -> httpx.Client:
    return httpx.Client(**_options(conn))


def _async_client(conn: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(**_options(conn))


def _options(conn: Any) -> dict[str, Any]:
    url = conn.host if "://" in conn.host else f"{conn.schema or 'https'}://{conn.host}"
    return {
        "base_url": f"{url}:{conn.port}" if conn.port else url,
        "headers": {"Authorization": f"Bearer {conn.password}"} if conn.password else {},
        "timeout": TIMEOUT_SECONDS,
        "verify": conn.extra_dejson.get("verify", True),
    }


def _pause(attempt: int) -> float:
    """Seconds: longer each time, and not the same for all who wait."""
    return min(30.0, 0.5 * 2 ** min(attempt, 10)) * random.uniform(0.5, 1.0)


def _words(answer: httpx.Response) -> str:
    try:
        problem = answer.json()
        fields = [f"{one.get('pointer') or one.get('parameter')}: {one['detail']}"
                  for one in problem.get("errors", ())]  # fmt: skip
        return "; ".join([problem["detail"], *fields])
    except (ValueError, KeyError, TypeError):
        return f"the service answered {answer.status_code}"
