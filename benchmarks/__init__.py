"""Measurements: each prints ratios of both sides from one run and never asserts a time.

Numerical libraries get one thread each, as in Lupus's own processes: on two cores their threads
would compete with the processes beside them.
"""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
