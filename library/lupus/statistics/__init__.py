"""Statistics of a table, declared, not coded; from pandas, Polars and PySpark the same numbers.

Statistics
    what to compute: columns, each with its kind, and the columns that make groups
Numeric, Categorical, Array, Text, Time, Present
    kinds of statistics; a column's type decides which ones it can have
Kind
    what all kinds share
Summary
    what was counted; it gives metrics, and merges with other parts and other days
StatisticsError
    what cannot be computed, and what can
"""

from lupus.errors import StatisticsError
from lupus.statistics.array import Array
from lupus.statistics.categorical import Categorical
from lupus.statistics.kind import Kind
from lupus.statistics.numeric import Numeric
from lupus.statistics.presence import Present
from lupus.statistics.spec import Statistics
from lupus.statistics.summary import Summary
from lupus.statistics.text import Text
from lupus.statistics.time import Time

__all__ = [
    "Array",
    "Categorical",
    "Kind",
    "Numeric",
    "Present",
    "Statistics",
    "StatisticsError",
    "Summary",
    "Text",
    "Time",
]
