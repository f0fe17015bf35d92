"""Why a channel is not told something: a closed vocabulary, and the words for it."""

from collections.abc import Mapping
from typing import Literal, get_args

from service.notifications.events import NotifyRules
from service.notifications.wording import plural

Reason = Literal[
    "below_min_severity",
    "older_than_max_age",
    "rule_changed",
    "told_before",
    "episode_told",
    "never_told",
    "baseline_changed",
    "not_asked_for",
    "channel_does_not_take_it",
    "channel_deleted",
]
REASONS: tuple[Reason, ...] = get_args(Reason)
SILENT: tuple[Reason, ...] = ("not_asked_for", "channel_does_not_take_it", "channel_deleted")
"""Why a channel is told nothing at all of an event."""

_ONE = {"anomaly": "anomaly", "withdrawn": "withdrawal"}
_MANY = {"anomaly": "anomalies", "withdrawn": "withdrawals"}
_WORDS: Mapping[Reason, str] = {
    "below_min_severity": "less severe than {min_severity}, the least that the request wants told",
    "older_than_max_age": "too old to be news: stored, not told",
    "rule_changed": "due to new parameters of the rule: the data did not change",
    "told_before": "told to this channel before",
    "episode_told": "part of an episode that was told, and no worse than that",
    "never_told": "of what this channel was never told",
    "baseline_changed": "due to a new expectation: the data did not change",
    "not_asked_for": "not told: the request's notify.on does not name {event}",
    "channel_does_not_take_it": "not told: the channel does not take {event}",
    "channel_deleted": "not told: there is no such channel any more",
}


def held_text(event: str, why: Reason, count: int, rules: NotifyRules) -> str:
    """``2 anomalies: less severe than major, ...``; of a message as a whole only the reason."""
    words = why_text(event, why, rules)
    if event not in _ONE:
        return words
    return f"{plural(count, _ONE[event], _MANY[event])}: {words}"


def why_text(event: str, why: Reason, rules: NotifyRules) -> str:
    """The reason alone: ``less severe than major, the least that ...``."""
    return _WORDS[why].format(min_severity=rules.min_severity, event=event)


def sent_text(event: str, count: int, over: int) -> str:
    """``3 anomalies; 1 episode is over``."""
    if event not in _ONE:
        return f"the run's {event}"
    parts = [plural(count, _ONE[event], _MANY[event])] if count else []
    if over:
        parts.append(f"{plural(over, 'series', 'series')} {'is' if over == 1 else 'are'} normal")
    return "; ".join(parts)
