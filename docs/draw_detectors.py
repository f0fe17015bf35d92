"""Draw the pictures of docs/detectors/: real verdicts of the real detectors over seeded series.

    python docs/draw_detectors.py [threshold window prophet ...]

Without names it draws the pictures of all pages, in some minutes.
"""

import sys
from importlib import import_module

PAGES = (
    "threshold",
    "window",
    "prophet",
    "seasonal_esd",
    "trend_change",
    "auto",
    "common",
    "guide",
)


def main(chosen: list[str]) -> int:
    """Draw the chosen pages' pictures, or all."""
    for page in chosen or PAGES:
        import_module(f"detector_pictures.{page}").draw()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
