"""Identity: names, canonical labels and ids."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.errors import InvalidError
from storage.series_key import (
    SeriesKey,
    anomaly_id,
    canonical_labels,
    check_metric,
    check_source,
)

repeatable = settings(derandomize=True, max_examples=200, deadline=None)
label_names = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,8}", fullmatch=True)
label_values = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
labels = st.dictionaries(label_names, label_values, max_size=4)
metrics = st.text("abc@_.-%é ", min_size=1, max_size=12)


def test_ids_are_fixed_for_ever() -> None:
    """A change of these digests would orphan everything stored."""
    key = SeriesKey.of("job.a", "ndcg@10", {"region": "jp", "model": "é"})
    assert key.id == "3bf47171bc076094956a081e067cf164"
    assert anomaly_id("job.a", "daily", key.id, 1) == "6a0166aab9dfd4c46b8ff5f511d8c128"


@given(labels, st.randoms(use_true_random=False))
@repeatable
def test_the_order_of_labels_does_not_matter(given_labels: dict[str, str], random: object) -> None:
    pairs = list(given_labels.items())
    random.shuffle(pairs)  # type: ignore[attr-defined]
    assert SeriesKey.of("s", "m", dict(pairs)) == SeriesKey.of("s", "m", given_labels)


@given(labels)
@repeatable
def test_unicode_forms_and_empty_values_are_one_series(given_labels: dict[str, str]) -> None:
    decomposed = {name: unicodedata.normalize("NFD", v) for name, v in given_labels.items()}
    padded = decomposed | {"empty_label_of_test": ""}
    assert SeriesKey.of("s", "m", padded).id == SeriesKey.of("s", "m", given_labels).id


@given(metrics, labels)
@repeatable
def test_what_is_written_reads_back(metric: str, given_labels: dict[str, str]) -> None:
    key = SeriesKey.of("s", metric, given_labels)
    assert SeriesKey.parse("s", str(key)) == key


@given(labels, labels)
@repeatable
def test_different_labels_have_different_ids(one: dict[str, str], other: dict[str, str]) -> None:
    same = canonical_labels(one) == canonical_labels(other)
    assert (SeriesKey.of("s", "m", one).id == SeriesKey.of("s", "m", other).id) is same


def test_written_form_sorts_and_escapes() -> None:
    key = SeriesKey.of("s", "m", {"b": 'q"\\', "a": "x\ny"})
    assert str(key) == 'm{a="x\\ny",b="q\\"\\\\"}'


@pytest.mark.parametrize("name", ["", "A", "-a", "a-", "a/b", "..", "a" * 64, "a b", "é", "a\n"])
def test_bad_source_names_are_refused(name: str) -> None:
    with pytest.raises(InvalidError, match="source"):
        check_source(name)


@pytest.mark.parametrize("name", ["a", "job.service1-recommend", "0", "a" * 63])
def test_good_source_names_pass(name: str) -> None:
    assert check_source(name) == name


@pytest.mark.parametrize("name", ["", "a" * 201, "a\nb", "\0", "\ud800"])
def test_bad_metrics_are_refused(name: str) -> None:
    with pytest.raises(InvalidError, match="metric"):
        check_metric(name)


@pytest.mark.parametrize(
    "bad", [{"1a": "x"}, {"": "x"}, {"a-b": "x"}, {"a": "x\0"}, {"a": "\ud800"}]
)
def test_bad_labels_are_refused(bad: dict[str, str]) -> None:
    with pytest.raises(InvalidError, match="label"):
        canonical_labels(bad)
