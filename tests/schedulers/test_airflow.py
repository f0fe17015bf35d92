"""examples/airflow in a real Airflow, against a real service."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.real import server
from tests.schedulers.conftest import DROP
from tests.service.api.house import detection
from tests.service.served import Served

pytestmark = [pytest.mark.real, pytest.mark.timeout(1800)]
EXAMPLE = ROOT / "examples" / "airflow"
DRILL = Path(__file__).with_name("airflow_drill.py")
RUNS = "/v1/detections"
PATIENCE = 900
DAG = """
from datetime import datetime
from airflow.sdk import DAG
from lupus_airflow import LupusDetection

with DAG(dag_id="checks", schedule=None, start_date=datetime(2026, 1, 1)):
    LupusDetection(
        task_id="quality",
        request={
            "source": "shop",
            "rule": "daily",
            "metric": "ndcg@10",
            "range": {"start": "{{ macros.ds_add(ds, -1) }}", "end": "{{ ds }}"},
            "detector": {"type": "threshold", "lower": 0.2},
        },
    )
"""


class Airflow:
    """A home with the example's operator as a plugin, and a DAG that checks one day."""

    def __init__(self, python: Path, home: Path, url: str) -> None:
        self.home = home
        self._python = python
        for name, file in (("plugins", EXAMPLE / "lupus_airflow.py"), ("dags", None)):
            (home / name).mkdir(parents=True)
            if file is not None:
                shutil.copy(file, home / name)
        (home / "dags" / "checks.py").write_text(DAG)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("LUPUS_")},
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
            "AIRFLOW__CORE__UNIT_TEST_MODE": "false",
            "AIRFLOW_CONN_LUPUS_DEFAULT": json.dumps({"conn_type": "http", "host": url}),
            "PYTHONPATH": str(home / "plugins"),
            "EXAMPLES": str(EXAMPLE),
            "PATH": f"{python.parent}:{os.environ['PATH']}",
            "NO_PROXY": "127.0.0.1",
        }

    def run(self, *words: str) -> tuple[int, str]:
        """A command of Airflow: its code and what it said."""
        done = subprocess.run(
            [str(self._python), "-m", "airflow", *words],
            env=self.environment,
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
        )
        return done.returncode, done.stdout

    def drill(self, case: str, request: dict[str, Any]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self._python), str(DRILL), case, json.dumps(request)],
            env=self.environment,
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def drilled(self, case: str, request: dict[str, Any]) -> Any:
        """What a case of the drill answered."""
        process = self.drill(case, request)
        out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, err
        return json.loads(out.splitlines()[-1])

    def ask(self, query: str) -> list[Any]:
        with sqlite3.connect(self.home / "airflow.db") as database:
            return database.execute(query).fetchall()

    def xcom(self, key: str) -> Any:
        rows = self.ask(f"SELECT value FROM xcom WHERE key = '{key}' ORDER BY timestamp")
        return json.loads(rows[-1][0]) if rows else None

    def states(self) -> list[str]:
        return [row[0] for row in self.ask("SELECT state FROM task_instance")]


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory, service: Served) -> Airflow:
    python = Path(server("LUPUS_TEST_AIRFLOW"))
    found = Airflow(python, tmp_path_factory.mktemp("airflow"), str(service.http.base_url))
    shutil.copy(python.parents[1] / "airflow.db", found.home)
    return found


def runs(service: Served) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = service.http.get(RUNS, params={"rule": "daily"}).json()["items"]
    return found


def test_a_dag_is_fine_and_fails_on_what_is_found(airflow: Airflow, service: Served) -> None:
    code, said = airflow.run("dags", "test", "checks", "2026-07-31")
    assert code == 0, said
    told = airflow.xcom("return_value")
    fine = runs(service)[0]
    assert (told["run"], told["state"], told["found"]) == (fine["id"], "succeeded", 0)
    assert told["counts"]["judged"] == 1
    assert fine["range"] == {"start": "2026-07-30T00:00:00Z", "end": "2026-07-31T00:00:00Z"}

    code, said = airflow.run("dags", "test", "checks", "2026-08-01")
    assert "1 anomalies of major or worse" in said
    bad = runs(service)[0]
    assert bad["range"]["start"] == f"{DROP}T00:00:00Z"
    assert (airflow.xcom("lupus")["run"], airflow.xcom("lupus")["found"]) == (bad["id"], 1)
    assert sorted(airflow.states()) == ["failed", "success"]


def test_the_example_is_read_without_an_error(airflow: Airflow) -> None:
    found = airflow.drilled("example", {})
    assert found == {"lupus_ranking_daily": ["ranking_quality"]}


@pytest.fixture
def waiting(airflow: Airflow, idle: Served, monkeypatch: pytest.MonkeyPatch) -> Airflow:
    told = json.dumps({"conn_type": "http", "host": str(idle.http.base_url)})
    monkeypatch.setitem(airflow.environment, "AIRFLOW_CONN_LUPUS_DEFAULT", told)
    return airflow


def test_a_retry_finds_its_run_and_others_have_their_own(waiting: Airflow, idle: Served) -> None:
    found = waiting.drilled("keys", detection("shop", rule="keys"))
    assert found["first"] == found["retry"]
    assert len({found["first"], found["other"], found["mapped"]}) == 3
    assert len(idle.http.get(RUNS, params={"rule": "keys"}).json()["items"]) == 3


def test_a_try_after_the_end_of_its_run_is_a_rerun(waiting: Airflow, idle: Served) -> None:
    """As when somebody clears the task."""
    found = waiting.drilled("cleared", detection("shop", rule="cleared"))
    again = idle.http.get(f"{RUNS}/{found['again']}").json()
    assert again["rerun_of"] == found["first"] != found["again"]
    assert again["state"] == "queued"
    assert found["once_more"] == found["again"], "its own retries are one rerun"


def test_a_hundred_triggers_leave_the_loop_to_others(waiting: Airflow) -> None:
    assert waiting.drilled("loop_is_free", detection("shop", rule="loop")) > 20


def test_a_killed_task_cancels_its_run(waiting: Airflow, idle: Served) -> None:
    run = waiting.drilled("kill_before_deferral", detection("shop", rule="kill"))
    assert idle.http.get(f"{RUNS}/{run}").json()["state"] == "cancelled"


def test_a_wrong_request_fails_without_a_retry(waiting: Airflow) -> None:
    kind, said = waiting.drilled("refused", detection("shop", rule="wrong"))
    assert kind == "AirflowFailException"
    assert "/detector/type" in said


def test_a_service_that_stays_away_fails_the_try(waiting: Airflow) -> None:
    kind, said = waiting.drilled("given_up", detection("shop", rule="gone"))
    assert kind == "AirflowException", "with the retries of the task"
    assert "does not answer" in said


def test_a_trigger_outlives_a_restart_of_the_service(waiting: Airflow, idle: Served) -> None:
    process = waiting.drill("away", detection("shop", rule="away"))
    try:
        assert process.stdout is not None
        assert "deferred\n" in iter(process.stdout.readline, ""), "Airflow's own words come first"
        run = idle.http.get(RUNS, params={"rule": "away"}).json()["items"][0]["id"]
        idle.end(signal.SIGKILL)
        time.sleep(1)
        idle.start()
        idle.post(f"{RUNS}/{run}/cancel")
        out, err = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.wait()
    assert json.loads(out.splitlines()[-1]) == {"run": run, "state": "cancelled"}, err
    assert "trying again" in err + out
