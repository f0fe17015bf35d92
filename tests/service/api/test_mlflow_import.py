"""Imports from a server that answers wrongly; against a real one: test_mlflow_real."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
import yaml

from service.cli import main
from service.cli.exits import EndedError
from service.mlflow.lupus import Lupus
from service.mlflow.mapping import Naming, Point
from tests.conftest import ROOT
from tests.real import own_name
from tests.service.api.house import House
from tests.service.mlflow_hostile import Query, hostile, run_of
from tests.service.mlflow_importing import imported, stored

DAY_MS = 86_400_000
FIRST_MS = 1_780_272_000_000
RUNS = 'mlflow.runs{experiment="rank",experiment_id="1"}'
AUC = 'auc{experiment="rank"}'


@pytest.fixture
def source(idle: House) -> str:
    return idle.source(own_name("mlflow-"))


@pytest.mark.parametrize(
    ("answers", "code", "said"),
    [
        ({"experiments_of_search": (200, "<html>")}, 64, "not as MLflow does"),
        ({"experiments_of_search": (302, "")}, 64, "not as MLflow does"),
        ({"experiments_of_search": (401, "who?")}, 64, "MLFLOW_TRACKING_TOKEN"),
        ({"experiments_of_search": (200, [1])}, 64, "not as MLflow does"),
        ({"experiments_of_search": {"experiments": "a"}}, 2, "no list"),
        ({"experiments_of_search": {"experiments": [{"name": "a"}]}}, 2, "experiment_id"),
        ({"experiments_of_search": (503, "")}, 69, "answered 503"),
        ({"runs_of_search": {"runs": [{"info": {}}]}}, 2, "run_id"),
        (
            {"runs_of_search": (400, {"error_code": "INVALID", "message": "end_time?"})},
            64,
            "end_time?",
        ),
        (
            {"runs_of_search": {"runs": [run_of("a", 10**400)]}},
            0,
            "",
        ),
        ({"runs_of_search": {"runs": [], "next_page_token": "again"}}, 2, "come to an end"),
        ({"registered__models_of_search": (200, '{"registered_models": [')}, 64, "not as MLflow"),
    ],
)
def test_wrong_answers_end_the_command_in_one_sentence(
    idle: House, source: str, answers: dict[str, Any], code: int, said: str
) -> None:
    with hostile(**answers) as server:
        if code:
            with pytest.raises(EndedError) as ended:
                imported(idle, server.url, source, retry_seconds=0)
            assert (ended.value.code, said in str(ended.value)) == (code, True), ended.value
        else:
            imported(idle, server.url, source, retry_seconds=0)
    assert stored(idle.http, source) == {}


def test_an_answer_too_large_is_not_read_whole(
    idle: House, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.mlflow.server._MOST_BYTES", 1000)
    large = hostile(experiments_of_search=(200, "x" * 2000))
    with large as server, pytest.raises(EndedError, match="--page"):
        imported(idle, server.url, source)


def test_a_server_that_is_away_is_asked_again(
    idle: House, source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    busy = [503, 429]

    def runs(query: Query) -> Any:
        return (busy.pop(), "") if busy else {"runs": [run_of("a", FIRST_MS)]}

    with hostile(runs_of_search=runs) as server:
        imported(idle, server.url, source)
    assert stored(idle.http, source)[AUC] == {FIRST_MS: 0.9}
    assert capsys.readouterr().err.count("trying again") == 1


def test_a_list_that_was_cut_short_is_asked_for_again(idle: House, source: str) -> None:
    """Each answer has two runs and no token, though there are seven."""
    runs = [run_of(f"run{n}", FIRST_MS + n // 2 * DAY_MS) for n in range(7)]

    def cut(query: Query) -> Any:
        return {"runs": _ended(runs, query)[:3]}

    with hostile(runs_of_search=cut) as server:
        assert imported(idle, server.url, source).done.runs == 7
    assert list(stored(idle.http, source)[RUNS].values()) == [2, 2, 2, 1]


def test_what_lupus_refuses_is_left_out_and_told(idle: House, source: str) -> None:
    metrics = [
        {"key": key, "value": value, "timestamp": FIRST_MS, "step": 0}
        for key, value in [("x" * 250, 1), ("a\u0000b", 1), ("nan", "NaN"), ("inf", "-Infinity")]
    ]
    far = run_of("far", 9_000_000_000_000)
    runs = [
        run_of("a", FIRST_MS, metrics=metrics),
        run_of("b", FIRST_MS),
        run_of("c", FIRST_MS),
        run_of("d", FIRST_MS, info={"status": "KILLED"}),
        run_of("e", FIRST_MS, tags=[{"key": "mlflow.parentRunId", "value": "a"}]),
        far,
    ]
    naming = Naming(source)
    with hostile(runs_of_search={"runs": runs}) as server:
        imported(idle, server.url, source, naming)
    assert stored(idle.http, source) == {AUC: {FIRST_MS: 0.9}, RUNS: {FIRST_MS: 5}}
    told = naming.left_out.counts
    assert sum(count for reason, count in told.items() if reason.startswith("metric ")) == 2
    assert (told["not a number"], told["infinite"]) == (1, 1)
    assert told["of equal series and time, a later one counts"] == 1
    assert told["a run that failed or was killed"] == 1
    assert told["a child run (--children takes them)"] == 1


def test_a_run_of_the_future_does_not_hide_those_of_tomorrow(idle: House, source: str) -> None:
    runs = [run_of("a", FIRST_MS), run_of("z", 4_102_444_800_000)]
    with hostile(runs_of_search=lambda query: {"runs": runs}) as server:
        imported(idle, server.url, source)
        runs.insert(1, run_of("b", FIRST_MS + DAY_MS))
        imported(idle, server.url, source)
    assert set(stored(idle.http, source)[RUNS]) == {FIRST_MS, FIRST_MS + DAY_MS}


def test_an_import_that_ends_anywhere_is_finished_by_the_next(
    idle: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [
        run_of(f"r{n}", FIRST_MS + n * DAY_MS // 3, params=[{"key": "rows", "value": str(n)}])
        for n in range(5)
    ]
    send, sent = Lupus.send, 0

    def dying(self: Lupus, points: Sequence[Point]) -> None:
        nonlocal sent
        if sent == last:
            raise EndedError(69, "killed")
        sent += 1
        send(self, points)

    def one(source: str) -> None:
        naming = Naming(source, params=("rows",))
        imported(idle, server.url, source, naming, part_points=3)

    with hostile(runs_of_search=lambda query: {"runs": _ended(runs, query)}) as server:
        whole = idle.source(own_name("mlflow-"))
        one(whole)
        for last in (1, 2, 3):
            source, sent = idle.source(own_name("mlflow-")), 0
            with monkeypatch.context() as patch:
                patch.setattr(Lupus, "send", dying)
                with pytest.raises(EndedError, match="killed"):
                    one(source)
            one(source)
            assert stored(idle.http, source) == stored(idle.http, whole), last


def _ended(runs: list[Any], query: Query) -> list[Any]:
    since_ms = int(query["filter"].rpartition(" ")[2])
    return [one for one in runs if one["info"]["end_time"] >= since_ms]


def test_what_is_read_again_is_not_stored_again(idle: House, source: str) -> None:
    runs = [run_of("a", FIRST_MS), run_of("b", FIRST_MS + DAY_MS)]
    with hostile(runs_of_search={"runs": runs}) as server:
        for _ in range(2):
            imported(idle, server.url, source)
    day = idle.call("GET", f"/v1/sources/{source}/series", params={"metric": "mlflow.runs"})
    assert len(day["items"]) == 1
    with idle.resources.database.read() as tx:
        counted = tx.exec_driver_sql(
            "SELECT count(*) FROM ingests WHERE source = ?", (source,)
        ).scalar_one()
    assert counted == 2


def test_a_model_whose_name_no_release_can_have_keeps_no_other_from_being_one(
    idle: House, source: str
) -> None:
    models = [{"name": name, "last_updated_timestamp": FIRST_MS} for name in ("!a", "b" * 250, "c")]

    def versions(query: Query) -> Any:
        name = query["filter"].partition("=")[2].strip("'")
        version = {"name": name, "version": "1", "creation_timestamp": FIRST_MS, "run_id": "r"}
        return {"model_versions": [version]}

    answers = {
        "registered__models_of_search": {"registered_models": models},
        "model__versions_of_search": versions,
        "runs_of_get": {"run": run_of("r", FIRST_MS)},
    }
    naming = Naming(source)
    with hostile(**answers) as server:
        imported(idle, server.url, source, naming, release_to=(source,))
    events = idle.call("GET", f"/v1/sources/{source}/events")["items"]
    assert [(one["name"], one["labels"]) for one in events] == [("c 1", {"model": ["c"]})]
    assert naming.left_out.counts["a name that no release can have"] == 2
    assert stored(idle.http, source)['auc{model="c",version="1"}'] == {FIRST_MS: 0.9}


def test_a_token_goes_into_the_header_and_nowhere_else(
    idle: House, source: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "sesame\n")
    with hostile(experiments_of_search=(401, "sesame?")) as server:
        url = server.url.replace("//", "//ann:secret@")
        assert main(["mlflow-import", "--source", source, "--mlflow-url", url]) == 64
        assert server.asked[0][2]["Authorization"] == "Bearer sesame"
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "ses\name")
        assert main(["mlflow-import", "--source", source, "--mlflow-url", url]) == 64
        monkeypatch.delenv("MLFLOW_TRACKING_TOKEN")
        assert main(["mlflow-import", "--source", source, "--mlflow-url", url]) == 64
        assert server.asked[1][2]["Authorization"].startswith("Basic ")
        for token in ("ses\name", "sesam\u00e9"):
            monkeypatch.setenv("LUPUS_TOKEN", token)
            assert main(["runs", "list", "--url", server.url]) == 64
    said = capsys.readouterr()
    assert said.err.count("LUPUS_TOKEN holds what no header can") == 2
    for secret in ("sesam", "secret", "ses\n"):
        assert secret not in said.out + said.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--source", "A"], "a-z"),
        (["--source", "a", "--since", "yesterday"], "2026-11-01"),
        (["--source", "a", "--overlap", "long"], "duration"),
        (["--source", "a", "--run-label", "uuid"], "none, id and name"),
        (["--source", "a", "--per-second", "0"], "more than 0"),
        (["--source", "a"], "MLFLOW_TRACKING_URI"),
        (["--source", "a", "--mlflow-url", "ftp://x"], "http"),
        (["--source", "a", "--mlflow-url", "sqlite:///x"], "http"),
    ],
)
def test_wrong_words_are_refused(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["mlflow-import", *words, "--json"]) == 64
    assert said in json.loads(capsys.readouterr().out)["error"]


def test_the_documented_cronjob_asks_mlflow_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (ROOT / "docs/mlflow.md").read_text()
    job = yaml.safe_load(page.partition("```yaml\n")[2].partition("```")[0])
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    names = {one["name"] for one in container["env"]}
    with hostile() as server:
        values = {"MLFLOW_TRACKING_URI": server.url, "LUPUS_URL": "http://127.0.0.1:9"}
        for name in names:
            monkeypatch.setenv(name, values.get(name, "secret"))
        program, *words = container["command"]
        assert program == "lupus-server"
        assert main([*words, "--retry-for", "0s"]) == 69
        path, _, headers = server.asked[0]
    assert (path, headers["Authorization"]) == ("experiments/search", "Bearer secret")
    assert "http://127.0.0.1:9 does not answer" in capsys.readouterr().err
