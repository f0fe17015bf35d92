"""``python -m lupus.cli``: the command where nothing is installed, as from a zip file."""

import sys

from lupus.cli.main import main

sys.exit(main())
