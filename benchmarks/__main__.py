"""`make bench`: what one request costs, and how that grows."""

import sys

from benchmarks import scale

sys.exit(scale.main())
