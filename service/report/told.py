"""Who was told what, and what was held back and why."""

from collections.abc import Iterator, Mapping
from typing import Any

from markupsafe import Markup

from service.database.deliveries import Delivery
from service.notifications.wording import date_text, plural
from service.report.facts import ReportFacts
from service.report.markup import fill, joined

_STATES = {
    "pending": "is waiting to be sent",
    "held": "is held until the channel is repaired",
    "dead": "could not be delivered",
}
_ONE = {"anomaly": "unusual point", "withdrawn": "withdrawn point"}


def told_section(facts: ReportFacts) -> Markup:
    """One row for each message, and one for each reason to be silent."""
    if facts.run.notified is None:
        return Markup()
    rows = list(_rows(facts))
    if not rows:
        why = "the request names no channel" if facts.request.store else "it stored nothing"
        return fill("<section><h2>Who was told</h2><p>Nobody: {}.</p></section>", why)
    return fill(
        "<section><h2>Who was told</h2><table><caption>Messages of this run</caption><thead><tr>"
        '<th scope="col">Channel</th><th scope="col">About</th><th scope="col">What became of it'
        "</th></tr></thead><tbody>{}</tbody></table></section>",
        joined(rows),
    )


def _rows(facts: ReportFacts) -> Iterator[Markup]:
    by_id = {delivery.id: delivery for delivery in facts.deliveries}
    for channel, notes in (facts.run.notified or {}).items():
        if not isinstance(notes, Mapping):
            continue
        said = [*notes.get("sent", ()), *notes.get("held", ())]
        for note in said:
            delivery = by_id.get(str(note.get("delivery", "")))
            sent = "delivery" in note
            became = _state(facts, delivery) if sent else _why(note)
            yield fill(
                "<tr{}><td><bdi>{}</bdi></td><td>{}</td><td>{}</td></tr>",
                "" if sent else Markup(' class="quiet"'),
                channel,
                _about(note),
                became,
            )
        if not said:
            yield fill(
                '<tr class="quiet"><td><bdi>{}</bdi></td><td></td><td>nothing to tell</td></tr>',
                channel,
            )


def _about(note: Mapping[str, Any]) -> str:
    if "delivery" in note and note.get("text"):
        return str(note["text"])
    event = str(note.get("event", ""))
    count = int(note.get("count", 0) or 0)
    noun = _ONE.get(event)
    return plural(count, noun) if noun and count else f"the run: {event.replace('_', ' ')}"


def _why(note: Mapping[str, Any]) -> str:
    text = str(note.get("text", ""))
    if note.get("event") in _ONE:  # how many of what stands in the column beside it
        text = text.partition(": ")[2]
    return f"held back: {text or str(note.get('why', '')).replace('_', ' ')}"


def _state(facts: ReportFacts, delivery: Delivery | None) -> str:
    if delivery is None:
        return "sent"
    if delivery.state == "sent":
        at = delivery.sent_ms
        return "sent" if at is None else f"sent {date_text(at, facts.timezone, 1)}"
    words = _STATES.get(delivery.state, delivery.state)
    tries = f" after {plural(delivery.attempts, 'try', 'tries')}" if delivery.attempts else ""
    return f"{words}{tries}"
