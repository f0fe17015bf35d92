"""A step run by hand: exit codes, kept failures, nothing imported that a pod does not need."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from storage.connections import Connection
from storage.errors import BusyError, InvalidError, NotFoundError
from storage.folder import FolderObjects
from tests.conftest import ROOT
from tests.workflows.world import ONE_AT_A_TIME, World, storage_settings, write_daily
from workflows.chunk import committed_chunks
from workflows.errors import (
    BadRequestError,
    ClusterError,
    ClusterRefusedError,
    CommitError,
    NoPlanError,
    OrphanedError,
    StoppedError,
    WorkerLostError,
    exit_code,
)
from workflows.orphans import check_parents
from workflows.report import read_report
from workflows.status import cancel, run_failures
from workflows.step_entry import (
    StepCall,
    StepWorld,
    main,
    run_step,
    settings_from_environment,
)


def environment(root: Path) -> dict[str, str]:
    storage = storage_settings(root)
    return {
        "PYTHONPATH": str(ROOT),
        "PATH": os.environ["PATH"],
        "LUPUS_ARCHIVE": storage.archive,
        "LUPUS_INDEX": storage.index,
        "LUPUS_OBJECTS": storage.objects,
        "LUPUS_SCRATCH": str(storage.scratch),
        "LUPUS_PROCESSES": "1",
    }


def test_steps_run_by_hand_end_in_a_report(world: World) -> None:
    write_daily(world.stores, 5)
    world.ask()
    code = """
import sys
from workflows.step_entry import main
codes = [main(["plan", "r1", "--outputs", sys.argv[1]]), main(["publish", "r1"])]
found = {"fastapi", "sqlalchemy", "pydantic", "uvicorn", "prophet"} & set(sys.modules)
assert not found, found
sys.exit(max(codes))
"""
    outputs = world.root / "outputs"
    ended = subprocess.run(
        [sys.executable, "-c", code, str(outputs)], env=environment(world.root), cwd=world.root
    )
    assert ended.returncode == 0
    assert (outputs / "chunks").read_text() == "0"  # the only chunk is done by plan
    assert (outputs / "series").read_text() == "5"
    report = read_report(world.stores.objects, "r1")
    assert report is not None
    assert report.counts["new"] == 5


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BadRequestError("no"), 65),
        (CommitError("no"), 65),
        (OrphanedError("no"), 65),
        (NotFoundError("no"), 65),
        (ZeroDivisionError("a bug"), 65),
        (BusyError("wait"), 75),
        (WorkerLostError("wait"), 75),
        (ConnectionResetError("wait"), 75),
        (MemoryError(), 75),
        (StoppedError("bye"), 143),
        (NoPlanError("later"), 66),
        (ClusterError("later"), 75),
        (ClusterRefusedError("no"), 65),
    ],
)
def test_exit_codes_tell_whether_to_try_again(error: Exception, code: int) -> None:
    assert exit_code(error) == code


def test_a_failed_step_keeps_its_reason_and_its_last_lines(world: World) -> None:
    write_daily(world.stores, 5)
    world.ask(max_series=2)
    outcome = run_step(
        StepCall("plan", "r1", attempt=1), StepWorld(storage_settings(world.root), ONE_AT_A_TIME)
    )
    assert outcome.exit_code == 65
    assert "5 series match" in outcome.error
    (failure,) = run_failures(world.stores.objects, "r1")
    assert (failure.step, failure.attempt, failure.kind) == ("plan", 1, "BadRequestError")
    assert (failure.pointer, failure.transient) == ("/max_series", False)
    assert any("step plan of r1 failed" in line for line in failure.log)
    assert len(failure.log) <= 50


def test_detect_opens_the_objects_only(world: World) -> None:
    """Pods of detect hold credentials of nothing else: the other stores may not even exist."""
    write_daily(world.stores, 5)
    world.ask()
    settings = storage_settings(world.root)
    run_step(StepCall("plan", "r1"), StepWorld(settings, ONE_AT_A_TIME))
    world.stores.objects.delete_prefix("runs/r1/chunk/")
    blind = type(settings)("nowhere://", "nowhere://", settings.objects, scratch=settings.scratch)
    outcome = run_step(StepCall("detect", "r1", 0), StepWorld(blind, ONE_AT_A_TIME))
    assert outcome.exit_code == 0, outcome
    assert committed_chunks(world.stores.objects, "r1") == frozenset({0})


def test_a_step_stopped_by_sigterm_ends_with_143_and_commits_nothing(world: World) -> None:
    write_daily(world.stores, 5)
    world.ask()
    code = """
import os, signal, sys
from workflows import detect, step_entry
judge = detect.Judge.judge
def slow(*given):
    os.kill(os.getpid(), signal.SIGTERM)
    return judge(*given)
detect.Judge.judge = slow
sys.exit(step_entry.main(["plan", "r1"]))
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environment(world.root), capture_output=True, text=True
    )
    assert ended.returncode == 143, ended.stderr
    assert committed_chunks(world.stores.objects, "r1") == frozenset()
    (failure,) = run_failures(world.stores.objects, "r1")
    assert (failure.kind, failure.transient) == ("StoppedError", True)


def test_a_worker_whose_driver_is_gone_may_not_commit() -> None:
    grandparent = int(Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()[1])
    check_parents(grandparent)
    with pytest.raises(OrphanedError, match="is gone"):
        check_parents(grandparent + 1)


def test_settings_of_a_pod_come_from_its_environment(tmp_path: Path) -> None:
    storage, settings = settings_from_environment(
        environment(tmp_path) | {"LUPUS_EXECUTOR": "argo"}
    )
    assert storage == storage_settings(tmp_path)
    assert (settings.processes, settings.executor) == (1, "argo")
    with pytest.raises(InvalidError, match="LUPUS_PROCESSES"):
        settings_from_environment({"LUPUS_PROCESSES": "two"})


def test_a_pod_knows_connections_and_the_limits_of_labels(tmp_path: Path) -> None:
    file = tmp_path / "connections.toml"
    file.write_text('[warehouse]\nurl = "file:///data/warehouse"\n')
    given = {
        "LUPUS_CONNECTIONS_FILE": str(file),
        "LUPUS_MAX_LABELS": "3",
        "LUPUS_MAX_LABEL_LENGTH": "40",
    }
    storage, settings = settings_from_environment(given)
    assert storage.connections == (Connection("warehouse", "file:///data/warehouse"),)
    assert (settings.max_labels, settings.max_label_length) == (3, 40)


def test_a_wrong_setting_of_a_pod_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LUPUS_CONNECTIONS_FILE", "/nowhere.toml")
    with pytest.raises(SystemExit) as ended:
        main(["plan", "r1"])
    assert ended.value.code == 65
    assert "LUPUS_CONNECTIONS_FILE: No such file" in capsys.readouterr().err


def test_objects_that_cannot_be_opened_are_told_by_the_exit_code(tmp_path: Path) -> None:
    """Not even the failure can be kept then."""
    (tmp_path / "file").write_text("not a folder")
    settings = replace(storage_settings(tmp_path), objects=f"file://{tmp_path}/file/objects")
    for call in (StepCall("plan", "r1"), StepCall("detect", "r1", 0)):
        outcome = run_step(call, StepWorld(settings, ONE_AT_A_TIME))
        assert (outcome.exit_code, outcome.kind) == (65, "NotFoundError")


def test_a_missing_request_is_permanent(tmp_path: Path) -> None:
    outcome = run_step(
        StepCall("plan", "nobody"), StepWorld(storage_settings(tmp_path), ONE_AT_A_TIME)
    )
    assert outcome.exit_code == 65
    assert "nobody" in outcome.error
    assert list(FolderObjects(tmp_path / "objects").names("runs/nobody/plan")) == []


def test_a_publish_before_any_plan_leaves_the_run_to_the_next_attempt(world: World) -> None:
    world.ask()
    outcome = run_step(
        StepCall("publish", "r1"), StepWorld(storage_settings(world.root), ONE_AT_A_TIME)
    )
    assert (outcome.exit_code, outcome.kind) == (66, "NoPlanError")
    assert run_failures(world.stores.objects, "r1") == []
    assert read_report(world.stores.objects, "r1") is None


def test_a_workflow_leaves_a_note_only_beside_a_run_without_an_end(world: World) -> None:
    write_daily(world.stores, 5)
    settings = StepWorld(storage_settings(world.root), ONE_AT_A_TIME)
    for run in ("lost", "ended", "stopped"):
        world.ask(run)
    run_step(StepCall("plan", "ended"), settings)
    run_step(StepCall("publish", "ended"), settings)
    cancel(world.stores.objects, "stopped")
    for run in ("lost", "ended", "stopped"):
        told = run_step(StepCall("note", run, status="Failed"), settings)
        assert told.outputs == {"noted": run == "lost"}
    (failure,) = run_failures(world.stores.objects, "lost")
    assert (failure.step, failure.transient) == ("exit", True)
    assert "ended (Failed) without a report" in failure.message
    assert run_failures(world.stores.objects, "ended") == []
    assert run_failures(world.stores.objects, "stopped") == []


def test_seconds_of_a_pod_may_have_a_fraction(tmp_path: Path) -> None:
    _, settings = settings_from_environment(
        environment(tmp_path) | {"LUPUS_CHUNK_SECONDS": "0.5", "LUPUS_GROUP_POINTS": "7"}
    )
    assert (settings.chunk_seconds, settings.group_points) == (0.5, 7)
    for wrong in ("-1", "nan", "soon"):
        with pytest.raises(InvalidError, match="LUPUS_CHUNK_SECONDS"):
            settings_from_environment({"LUPUS_CHUNK_SECONDS": wrong})
