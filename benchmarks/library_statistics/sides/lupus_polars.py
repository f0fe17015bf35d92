from typing import Any

from lupus import Statistics

NUMBERS = ["nulls", "mean", "std", "skewness", "kurtosis", "zeros", "five", "p5", "p95", "p99"]
TEXTS = ["nulls", "unique", "entropy", "top1_share", "shares"]


def work(frame: Any) -> Any:
    wanted = {name: TEXTS if name.startswith("text") else NUMBERS for name in frame.columns}
    return Statistics(wanted).compute(frame).metrics()
