from math import log2
from typing import Any

from pyspark.sql import functions as sql

SHARES = {"min": 0.0, "p5": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95, "p99": 0.99}
SHARES["max"] = 1.0


def work(frame: Any) -> Any:
    wanted = [sql.count(sql.lit(1)).alias("rows")]
    for name in frame.columns:
        column = sql.col(name)
        wanted.append(sql.sum(column.isNull().cast("long")).alias(f"{name}.nulls"))
        if not name.startswith("text"):
            wanted += [
                sql.mean(column).alias(f"{name}.mean"),
                sql.stddev(column).alias(f"{name}.std"),
                sql.skewness(column).alias(f"{name}.skewness"),
                sql.kurtosis(column).alias(f"{name}.kurtosis"),
                sql.sum((column == 0).cast("long")).alias(f"{name}.zeros"),
                sql.percentile_approx(column, list(SHARES.values()), 1000).alias(
                    f"{name}.quantiles"
                ),
            ]
    found = frame.agg(*wanted).first().asDict()
    for name in frame.columns:
        if name.startswith("text"):
            counts = frame.where(sql.col(name).isNotNull()).groupBy(name).count()
            rows = counts.orderBy(sql.desc("count")).collect()
            total = sum(row["count"] for row in rows)
            shares = [(row[name], row["count"] / total) for row in rows]
            found[f"{name}.unique"] = len(shares)
            found[f"{name}.entropy"] = -sum(share * log2(share) for _, share in shares)
            found[f"{name}.top1_share"] = shares[0][1]
            for value, share in shares[:10]:
                found[f"{name}.share.{value}"] = share
        else:
            for key, value in zip(SHARES, found.pop(f"{name}.quantiles"), strict=True):
                found[f"{name}.{key}"] = value
    return found
