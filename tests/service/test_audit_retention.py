"""The audit log itself is kept for long, and says when it was cut."""

from pathlib import Path

import pytest

from service.clock import DAY_MS
from service.database.audit import AuditFilter, list_changes, record_change
from service.database.queue import NewJob, add_job
from service.worker.settings import WorkerSettings
from tests.service.clocks import NOON
from tests.service.databases import KINDS
from tests.service.world import world


@pytest.mark.parametrize("kind", KINDS)
def test_old_entries_go_and_leave_one_that_says_so(kind: str, tmp_path: Path) -> None:
    pace = WorkerSettings(retention_audit_ms=30 * DAY_MS)
    with world(tmp_path, kind, pace) as here:
        with here.database.write() as tx:
            for age in (31, 29, 28):
                record_change(tx, NOON - age * DAY_MS, "ann", "source.put", f"{age} days")
            add_job(tx, NewJob("janitor", "janitor", ""), NOON)
        for _ in range(2):
            assert here.tick("janitor") == "janitor"
            here.clock.advance(here.parts.settings.janitor_ms)
        with here.database.read() as tx:
            found = list_changes(tx, 10, AuditFilter(until_ms=here.clock.now_ms()))
        assert [(one.caller, one.action) for one in found] == [
            ("service", "records.forget"),
            ("ann", "source.put"),
            ("ann", "source.put"),
        ]
        assert found[0].detail["audit"] == 1
        assert [one.object for one in found[1:]] == ["28 days", "29 days"]
