from typing import Any

import polars as pl

SHARES = {"min": 0, "p5": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95, "p99": 0.99}
SHARES["max"] = 1


def work(frame: Any) -> Any:
    found = {"rows": len(frame)}
    wanted = [pl.all().null_count().name.suffix(".nulls")]
    for name in frame.columns:
        column = pl.col(name)
        if name.startswith("text"):
            counts = frame[name].drop_nulls().value_counts(sort=True)
            shares = counts["count"] / counts["count"].sum()
            found[f"{name}.unique"] = len(counts)
            found[f"{name}.entropy"] = shares.entropy(base=2)
            found[f"{name}.top1_share"] = shares[0]
            for value, share in zip(counts[name][:10], shares[:10], strict=True):
                found[f"{name}.share.{value}"] = share
        else:
            wanted += [
                column.mean().alias(f"{name}.mean"),
                column.std().alias(f"{name}.std"),
                column.skew().alias(f"{name}.skewness"),
                column.kurtosis().alias(f"{name}.kurtosis"),
                (column == 0).sum().alias(f"{name}.zeros"),
                *(
                    column.quantile(share, "linear").alias(f"{name}.{key}")
                    for key, share in SHARES.items()
                ),
            ]
    return {**found, **frame.select(wanted).row(0, named=True)}
