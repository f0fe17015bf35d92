"""Imported once by the fork server, so that every worker starts with warm imports.

One process per core does the parallel work: the libraries' own threads would only compete.
"""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"

import duckdb  # noqa: E402, F401
import numba  # noqa: E402, F401
import pyarrow.parquet  # noqa: E402, F401

import workflows.step_entry  # noqa: E402, F401
from detectors.precompile import precompile  # noqa: E402
from workflows.orphans import die_with_parent  # noqa: E402

die_with_parent()

# Loading the kernels costs a process a second; workers inherit them.
precompile()
