"""Imported once by the fork server, so that every worker starts with warm imports.

One process per core does the parallel work: the libraries' own threads would only compete.
"""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"

import duckdb  # noqa: E402, F401
import numba  # noqa: E402, F401
import numpy  # noqa: E402, F401
import pyarrow.parquet  # noqa: E402, F401

import detectors.threshold  # noqa: E402
import detectors.window  # noqa: E402, F401
import storage.stores  # noqa: E402, F401
import workflows.step_entry  # noqa: E402, F401
from workflows.orphans import die_with_parent  # noqa: E402

die_with_parent()
