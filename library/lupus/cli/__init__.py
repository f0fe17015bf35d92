"""The command ``lupus``: send, detect, runs, anomalies."""
