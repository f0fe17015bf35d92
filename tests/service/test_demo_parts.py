"""The demonstration's own arithmetic: what is planted, matched and signed."""

import base64
from datetime import UTC, datetime, timedelta

from standardwebhooks.webhooks import Webhook

from service.demo.outcome import hold_against
from service.demo.plant import plant
from service.demo.receiver import Receiver
from service.demo.rules import LATE_RULE, RULES
from service.demo.series import make_series

TODAY = datetime(2026, 11, 21, tzinfo=UTC)


def test_the_same_day_and_seed_make_the_same_series() -> None:
    first, second = make_series(TODAY, 7), make_series(TODAY, 7)
    assert [s.name for s in first] == [s.name for s in second]
    assert all((a.values == b.values).all() for a, b in zip(first, second, strict=True))


def test_every_kind_of_event_is_planted_in_a_series_that_a_rule_watches() -> None:
    planted, late = plant(make_series(TODAY, 7))
    assert {p.kind for p in planted} == {
        "spike",
        "drop",
        "level shift",
        "slow trend",
        "missing days",
        "late partition",
    }
    outcomes, _ = hold_against(planted, RULES, {rule.name: [] for rule in RULES})
    assert {id(o.planted) for o in outcomes} == {id(p) for p in planted}
    assert late.right_value > 5 * late.series.values[late.row]


def test_found_missed_and_false_are_told_apart() -> None:
    planted, _ = plant(make_series(TODAY, 7))
    event = next(p for p in planted if p.kind == "late partition")
    rule = next(r for r in RULES if r.name == LATE_RULE)
    hit = {"name": event.series, "time": event.start.isoformat(), "severity": "major"}
    other = {**hit, "time": (event.start - timedelta(days=5)).isoformat()}
    anomalies = {r.name: [hit, other] if r is rule else [] for r in RULES}
    outcomes, alarms = hold_against(planted, RULES, anomalies)
    found = [o for o in outcomes if o.found]
    assert [(o.planted, o.rule, o.delay, o.severity) for o in found] == [
        (event, rule, timedelta(0), "major")
    ]
    assert [alarm.when for alarm in alarms] == [event.start - timedelta(days=5)]


def test_the_receiver_knows_right_signatures_from_wrong_ones() -> None:
    secret = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
    moment = datetime(2026, 11, 21, 10, tzinfo=UTC)
    signature = Webhook(secret).sign("msg_1", moment, '{"a":1}')
    receiver = Receiver(secret)
    try:
        stamp = str(int(moment.timestamp()))
        assert receiver.signed("msg_1", stamp, b'{"a":1}', signature)
        assert not receiver.signed("msg_1", stamp, b'{"a":2}', signature)
    finally:
        receiver.close()
