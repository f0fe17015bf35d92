"""Random tables and their random parts, for property tests."""

import numpy as np
from hypothesis import strategies as st

NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False, min_value=-1e6, max_value=1e6),
    st.sampled_from([0.0, -0.0, 1.0, 1e-300, -5e-324, 1e9, 1e9 + 1]),
    st.integers(-5, 5).map(float),
)
SEED = st.integers(0, 2**32 - 1)


def parts(many: int, seed: int) -> list[np.ndarray]:
    """Rows in up to seven random parts, some of them empty."""
    random = np.random.default_rng(seed)
    part = random.integers(0, random.integers(2, 8), many)
    return [np.flatnonzero(part == one) for one in range(7)]
