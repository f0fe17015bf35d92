"""Arithmetic on time series."""
