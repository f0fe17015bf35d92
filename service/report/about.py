"""Facts of the run: who asked, how it was judged, how long it took, what went wrong on the way."""

from collections.abc import Iterator

from markupsafe import Markup

from service.notifications.wording import date_text, listed, local, plural, range_text
from service.report.detector_words import how_it_judged, parameter_rows
from service.report.facts import ReportFacts
from service.report.markup import fill, joined
from workflows.failure import Failure

_SECOND_MS, _MINUTE_MS, _HOUR_MS = 1_000, 60_000, 3_600_000
_LOG_LINES = 12
_LONGEST_LINE = 300


def about_section(facts: ReportFacts) -> Markup:
    """How it was judged, and the run's facts."""
    detector = dict(facts.request.detector)
    how = how_it_judged(detector, facts.look(facts.request.metrics[0]))
    return fill(
        "<section><h2>How it was judged</h2><p>{}</p><details><summary>All parameters of the "
        "detector {}</summary>{}</details></section><section><h2>About this run</h2>"
        '<dl class="about">{}</dl>{}</section>',
        how,
        facts.run.detector,
        _parameters(facts),
        joined(fill("<div><dt>{}</dt><dd>{}</dd></div>", *fact) for fact in _facts(facts)),
        _failures(facts),
    )


def _parameters(facts: ReportFacts) -> Markup:
    rows = joined(
        fill(
            '<tr{}><th scope="row">{}</th><td>{}</td><td>{}</td></tr>',
            Markup(' class="chosen"') if chosen else "",
            name,
            value,
            meaning,
        )
        for name, value, meaning, chosen in parameter_rows(facts.request.detector)
    )
    return fill(
        "<table><caption>Parameters; those that differ from the default come first</caption><thead>"
        '<tr><th scope="col">Parameter</th><th scope="col">Value</th><th scope="col">Meaning</th>'
        "</tr></thead><tbody>{}</tbody></table>",
        rows,
    )


def _facts(facts: ReportFacts) -> Iterator[tuple[str, object]]:
    run, request = facts.run, facts.request
    yield "Outcome", run.state
    yield "Looked at", range_text(request.start_ms, request.end_ms, facts.timezone)
    yield "Metrics", listed([facts.look(metric).name for metric in request.metrics], 10)
    chosen = None if facts.report is None else facts.report.chosen
    if chosen:
        yield (
            "Chosen",
            "; ".join(f"{plural(n, 'series', 'series')} by {said}" for said, n in chosen.items()),
        )
    if request.labels:
        yield "Labels", "; ".join(_condition(*item) for item in sorted(request.labels.items()))
    if request.join:
        yield "Joined over", ", ".join(request.join)
    yield (
        "Source",
        f"{facts.source_name} ({run.source})" if facts.source_name != run.source else run.source,
    )
    owner = dict(facts.source_body.get("owner") or {})
    if any(owner.values()):
        yield "Owner", " ".join(str(value) for value in owner.values() if value)
    yield "Asked", f"{date_text(run.accepted_ms, facts.timezone, 1)} by {run.caller}"
    if run.started_ms is not None:
        yield "Waited", span_text(run.started_ms - run.accepted_ms)
        if run.ended_ms is not None:
            yield "Took", span_text(run.ended_ms - run.started_ms)
    if run.attempt > 1:
        yield "Attempts", f"{run.attempt:,}"
    if run.rerun_of:
        yield "Repeats run", run.rerun_of
    yield "Run", fill("<code>{}</code>, generation {}", run.id, run.generation)
    links = [
        fill('<a href="{}" rel="noopener noreferrer">{}</a>', url, name)
        for name, url in facts.links.items()
        if url.startswith(("http://", "https://"))
    ]
    if links:
        yield "Links", joined(links, " · ")


def _condition(name: str, condition: tuple[str, ...] | None) -> str:
    return f"{name}: {' or '.join(condition)}" if condition else f"{name}: none"


def span_text(span_ms: int) -> str:
    """``4 s``, ``3 min``, ``2 h 5 min``."""
    if span_ms < _SECOND_MS:
        return "less than a second"
    if span_ms < _MINUTE_MS:
        return f"{span_ms / _SECOND_MS:.0f} s"
    if span_ms < _HOUR_MS:
        return f"{span_ms / _MINUTE_MS:.0f} min"
    hours, rest = divmod(span_ms, _HOUR_MS)
    return f"{hours:,} h {rest // _MINUTE_MS} min"


def _failures(facts: ReportFacts) -> Markup:
    if not facts.failures:
        return Markup()
    return fill(
        "<details{}><summary>{} of its steps failed</summary>{}</details>",
        Markup(" open") if facts.run.state == "failed" else "",
        plural(len(facts.failures), "try", "tries"),
        joined(_failure(facts, failure) for failure in facts.failures),
    )


def _failure(facts: ReportFacts, failure: Failure) -> Markup:
    step = failure.step if failure.chunk is None else f"{failure.step} {failure.chunk}"
    lines = "\n".join(line[:_LONGEST_LINE] for line in failure.log[-_LOG_LINES:])
    return fill(
        "<h3>{}, {}</h3><p>{}</p>{}",
        step,
        f"{local(failure.at_ms, facts.timezone):%H:%M:%S}",
        failure.message,
        fill("<pre>{}</pre>", lines) if lines else Markup(),
    )
