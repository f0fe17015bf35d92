"""publish: compare, commit, apply, report; it alone decides how a run ends.

(a) refresh the index, (b) compare results with what is stored and write down the differences,
(c) commit ``publish.json``, (d) apply to index and archive, (e) refresh, (f) ``report.json``.
A rerun begins at (d); a chunk that comes after (c) changes nothing any more.
"""

import logging
import tempfile
from pathlib import Path

from workflows.apply import Application
from workflows.chunk import Plan, read_plan
from workflows.commits import PUBLISH, Commit, is_cancelled, read_commit, run_root
from workflows.compare import Comparison
from workflows.context import StepContext
from workflows.errors import CancelledError, CommitError, NoPlanError
from workflows.failure import Failure, read_failures
from workflows.published import PlannedKeys, Published
from workflows.reconcile import RunFacts
from workflows.report import COUNTS, REPORT, Report, read_report
from workflows.request import RunRequest

logger = logging.getLogger(__name__)


def publish(context: StepContext, run: str) -> Report:
    """Publish what the chunks committed; again after success, it returns the same report."""
    done = read_report(context.objects, run)
    if done is not None:
        return done
    request = context.request(run)
    found = read_plan(context.objects, run)
    if found is None:
        cause = _why_no_plan(context, run)
        return publish_failure(context, run, cause.message, cause.pointer)
    commit = read_commit(context.objects, f"{run_root(run)}/{PUBLISH}")
    if commit is None:
        commit = _compare(context, request, *found)
    return _finish(context, request, commit)


def publish_failure(context: StepContext, run: str, error: str, pointer: str = "") -> Report:
    """End a run that cannot be carried out, with the reason in its report.

    What the run has published before counts: then it is finished instead.
    """
    done = read_report(context.objects, run)
    if done is not None:
        return done
    request = context.request(run)
    commit = read_commit(context.objects, f"{run_root(run)}/{PUBLISH}")
    if commit is None:
        failed = Published(
            run=run,
            generation=request.generation,
            outcome="failed",
            counts=dict.fromkeys(COUNTS, 0) | {"series": _planned_series(context, run)},
            error=error,
            pointer=pointer,
        )
        commit = context.attempt(run, "publish").commit(PUBLISH, failed)
    return _finish(context, request, commit)


def _planned_series(context: StepContext, run: str) -> int:
    try:
        found = read_plan(context.objects, run)
    except CommitError:  # perhaps just this is why the run failed
        return 0
    return found[0].series if found else 0


def _why_no_plan(context: StepContext, run: str) -> Failure:
    failures = [
        failure
        for failure in read_failures(context.objects, run_root(run))
        if failure.step == "plan" and not failure.transient
    ]
    if not failures:
        raise NoPlanError(f"run {run} has no plan: nothing can be published")
    return failures[-1]


def _compare(context: StepContext, request: RunRequest, plan: Plan, plan_commit: Commit) -> Commit:
    if request.store:
        context.index.refresh()
    attempt = context.attempt(request.run, "publish")
    with tempfile.TemporaryDirectory(dir=context.scratch) as scratch:
        comparison = Comparison(
            context=context,
            request=request,
            plan=plan,
            keys=PlannedKeys(context.objects, plan, plan_commit),
            facts=RunFacts.of(request, context.now_ms()),
            attempt=attempt,
            scratch=Path(scratch),
        )
        published = comparison.run()
    return attempt.commit(PUBLISH, published)


def _finish(context: StepContext, request: RunRequest, commit: Commit) -> Report:
    if is_cancelled(commit):
        raise CancelledError(f"run {request.run} was cancelled")
    published = commit.read(Published)
    superseded = 0
    if request.store and published.chunks:
        superseded = _apply(context, request, published, commit)
    report = Report(
        run=published.run,
        generation=published.generation,
        outcome=published.outcome,
        counts={**published.counts, "superseded": superseded},
        causes=published.causes,
        ready_at_ms=published.ready_at_ms,
        failures=published.failures,
        error=published.error,
        pointer=published.pointer,
        changes=published.changes,
        results=f"{run_root(request.run)}/detect/" if published.chunks else None,
        duplicates=published.duplicates,
        short_series=published.short_series,
        first_ready_at_ms=published.first_ready_at_ms,
        chosen=published.chosen,
    )
    committed = context.attempt(request.run, "report").commit(REPORT, report).read(Report)
    logger.info("run %s: %s, %s", request.run, committed.outcome, dict(committed.counts))
    return committed


def _apply(context: StepContext, request: RunRequest, published: Published, commit: Commit) -> int:
    found = read_plan(context.objects, request.run)
    if found is None:
        raise CommitError(f"run {request.run} published without a plan")
    plan, plan_commit = found
    keys = PlannedKeys(context.objects, plan, plan_commit)
    return Application(context, request, keys, published, commit).run()
