"""`make bench`: what one request costs, and how that grows; with a Hive server also its rows."""

import os
import sys

from benchmarks import hive, scale

failed = scale.main()
if os.environ.get(hive.VARIABLES["hive"]):
    failed = hive.main() or failed
sys.exit(failed)
