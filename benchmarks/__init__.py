"""Measurements: each prints ratios of both sides from one run and never asserts a time."""
