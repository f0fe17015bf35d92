"""How a worker paces itself. The defaults are for production; tests make them short."""

from dataclasses import dataclass

from service.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS


@dataclass(frozen=True)
class WorkerSettings:
    """Times of the loop and how much is carried at once."""

    lease_ms: int = 30 * SECOND_MS  # covers one tick; renewed at a third of it
    poll_ms: int = 500  # an idle worker looks for jobs of other processes this often
    look_ms: int = 1 * SECOND_MS  # between two looks at a run that runs
    slots: int = 4  # runs and ingests that one launcher carries at once
    delivery_threads: int = 2
    first_backoff_ms: int = 1 * SECOND_MS  # doubles with each failure in a row ...
    longest_backoff_ms: int = 1 * MINUTE_MS  # ... up to this
    drain_seconds: float = 10.0  # a stopping worker waits so long for ticks to end
    janitor_ms: int = 1 * HOUR_MS
    compact_ms: int = 1 * MINUTE_MS  # after an ingest
    compact_results_ms: int = 10 * MINUTE_MS  # after a run that stored its results
    retention_runs_ms: int = 7 * DAY_MS
    retention_rows_ms: int = 396 * DAY_MS
    retention_audit_ms: int = 1100 * DAY_MS
    retention_index_months: int = 0  # for ever

    def backoff_ms(self, failures: int) -> int:
        """How long to wait after so many failures in a row."""
        return int(min(self.longest_backoff_ms, self.first_backoff_ms * 2 ** min(failures, 30)))
