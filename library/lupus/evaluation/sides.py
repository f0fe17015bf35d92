"""Two frames of predictions, compared key by key."""

from collections.abc import Sequence
from typing import Any, Union

import numpy as np

from lupus.errors import FrameError
from lupus.evaluation.columns import columns_of, is_spark
from lupus.evaluation.evaluation import By, Evaluation, evaluate
from lupus.evaluation.reproduction import OFFLINE, ONLINE, SIDE, Reproduction
from lupus.statistics.labels import labels_of


def reproduce(
    online: Any,
    offline: Any,
    key: Union[str, Sequence[str]],
    prediction: str,
    by: By = (),
    tolerance: float = 1e-6,
    relative: float = 0.0,
) -> Evaluation:
    """Compare what was predicted online with what the same model says offline.

    Parameters
    ----------
    online, offline : DataFrame of pandas, Polars or PySpark, Arrow table, or mapping of arrays
        Both with these columns; either both of PySpark or none.
    key : str or sequence of str
        Columns that tell which prediction is which.
    prediction : str
        Column of predictions: numbers, or text, which must be equal.
    by : str, sequence of str, or mapping of str to str
        Columns (or labels and their columns) whose values make groups.
    tolerance, relative : float
        Numbers are equal that differ by at most tolerance + relative x |offline|.

    Returns
    -------
    Evaluation
        Its metrics: ``reproduction_rate``, ``missing.online``, ``missing.offline`` and more.

    Examples
    --------
    >>> online = {"user": ["a", "b"], "p": [0.1, 0.2]}
    >>> offline = {"user": ["a", "b", "c"], "p": [0.1, 0.3, 0.4]}
    >>> reproduce(online, offline, "user", "p").metrics()["reproduction_rate"]
    0.5
    """
    task = Reproduction(key, prediction, tolerance, relative)
    groups = labels_of([by] if isinstance(by, str) else by)
    read = [name for name in dict.fromkeys([*groups.values(), *task.columns()]) if name != SIDE]
    if is_spark(online) != is_spark(offline):
        raise FrameError("both frames must be of PySpark, or none")
    if is_spark(online):
        from pyspark.sql.functions import lit  # noqa: PLC0415  only Spark needs it

        sides = [
            frame.select(*read).withColumn(SIDE, lit(side))
            for frame, side in ((online, ONLINE), (offline, OFFLINE))
        ]
        return evaluate(sides[0].unionByName(sides[1]), task, groups)
    one, two = columns_of(online, read), columns_of(offline, read)
    both = {name: np.concatenate([one[name], two[name]]) for name in read}
    lengths = [len(one[prediction]), len(two[prediction])]
    return evaluate({**both, SIDE: np.repeat([ONLINE, OFFLINE], lengths)}, task, groups)
