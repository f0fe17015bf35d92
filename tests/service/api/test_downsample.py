"""Downsampling keeps every peak and every drop."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from service.api.downsample import keep_extremes

VALUES = st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), min_size=0, max_size=300)


@settings(derandomize=True, max_examples=100)
@given(VALUES, st.integers(4, 50))
def test_lowest_highest_first_and_last_stay(values: list[float], most: int) -> None:
    array = np.array(values, dtype=np.float64)
    kept = keep_extremes(array, array, most)
    assert len(kept) <= max(most, 0) or len(kept) == len(values) <= most
    assert (np.diff(kept) > 0).all()
    if not np.isnan(array).all():
        assert np.nanmin(array[kept]) == np.nanmin(array)
        assert np.nanmax(array[kept]) == np.nanmax(array)
    if values:
        assert (kept[0], kept[-1]) == (0, len(values) - 1)


def test_each_share_keeps_its_own_extremes() -> None:
    values = np.zeros(1000)
    values[[100, 350, 600]] = (5.0, -5.0, 3.0)
    kept = keep_extremes(values, values, 20)
    assert {100, 350, 600} <= set(kept.tolist())
