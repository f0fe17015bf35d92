"""Draw the picture of docs/library.md: what ``lupus.detect(...).plot()`` shows.

python docs/draw_library.py
"""

import math
from pathlib import Path

import numpy as np
import pandas as pd

import lupus

IMAGE = Path(__file__).parent / "images" / "library-plot.png"


def main() -> None:
    random = np.random.default_rng(7)
    days = pd.date_range("2026-08-01", periods=100, tz="UTC")
    week = np.array([40 * math.sin(2 * math.pi * number / 7) for number in range(100)])
    frame = pd.DataFrame({"day": days, "rows": 1200 + week + random.normal(0, 8, 100)})
    frame.loc[82, "rows"] -= 120
    frame.loc[93:94, "rows"] += 70
    detector = {"type": "window", "season": "day_of_week"}
    found = lupus.detect(frame, time="day", value="rows", detector=detector, last="40d")
    found.plot().savefig(IMAGE, dpi=110)


if __name__ == "__main__":
    main()
