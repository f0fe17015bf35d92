"""What docs/draw_detectors.py draws: one module per page, the series, and the look."""
