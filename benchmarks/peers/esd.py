"""The generalized ESD test as its definition reads, for peers that bring no test of their own."""

from typing import Any

import numpy as np
from scipy.stats import t as student


def extremes(residuals: Any, share: float, alpha: float) -> list[int]:
    """Rows of the anomalies, in order."""
    n = len(residuals)
    left, rows = residuals, np.arange(n)
    removed: list[int] = []
    last = 0
    for i in range(1, int(n * share) + 1):
        distance = np.abs(left - np.median(left))
        spread = 1.4826 * np.median(distance)
        if spread == 0:
            break
        worst = int(np.argmax(distance))
        removed.append(int(rows[worst]))
        t = student.ppf(1 - alpha / (2 * (n - i + 1)), n - i - 1)
        if distance[worst] / spread > t * (n - i) / np.sqrt((n - i - 1 + t * t) * (n - i + 1)):
            last = i
        left, rows = np.delete(left, worst), np.delete(rows, worst)
    return sorted(removed[:last])
