"""A running Lupus: send metrics to it, ask it for detections, read what it found.

sent
    What became of one call of ``send``: the ingests that it made.
run
    One detection and its outcome.
"""
