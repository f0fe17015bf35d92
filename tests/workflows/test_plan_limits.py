"""Limits of a plan: the error says what to change, and which label is to blame."""

from storage.series_key import SeriesKey
from workflows.plan import _widest_label


def test_too_many_series_name_the_label_that_makes_them() -> None:
    keys = [
        SeriesKey.of("s", "ndcg", {"region": "jp" if n % 2 else "tw", "user_id": str(n)})
        for n in range(50)
    ]
    assert _widest_label(keys) == "; the label user_id alone has 50 values"
    assert _widest_label([SeriesKey.of("s", "ndcg")]) == ""
