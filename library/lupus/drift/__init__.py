"""Drift between a reference and a sample, from pandas, Polars and PySpark.

A *reference* is a summary, kept as a JSON file; ``drift`` compares a sample with it, and its
``metrics()`` are what a client sends. docs/drift.md defines every metric.
"""

from lupus.drift.drift import Drift, drift, reference
from lupus.drift.samples import Samples

__all__ = ["Drift", "Samples", "drift", "reference"]
