from typing import Any

import numpy as np

SHARES = {"min": 0, "p5": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95, "p99": 0.99}
SHARES["max"] = 1


def work(frame: Any) -> Any:
    found = {"rows": len(frame)}
    for name in frame.columns:
        column = frame[name]
        found[f"{name}.nulls"] = column.isna().sum()
        if name.startswith("text"):
            counts = column.value_counts()
            shares = counts / counts.sum()
            found[f"{name}.unique"] = len(counts)
            found[f"{name}.entropy"] = -(shares * np.log2(shares)).sum()
            found[f"{name}.top1_share"] = shares.iloc[0]
            for value, share in shares.head(10).items():
                found[f"{name}.share.{value}"] = share
        else:
            found[f"{name}.mean"] = column.mean()
            found[f"{name}.std"] = column.std()
            found[f"{name}.skewness"] = column.skew()
            found[f"{name}.kurtosis"] = column.kurt()
            found[f"{name}.zeros"] = (column == 0).sum()
            quantiles = column.quantile(list(SHARES.values()))
            for key, value in zip(SHARES, quantiles, strict=True):
                found[f"{name}.{key}"] = value
    return found
