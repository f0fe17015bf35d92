"""How well the detectors detect: NAB's labelled files, and anomalies in simulated metrics.

A *trial* is one family of simulated series judged by one detector. A *history* is the points a
detector may look back on before its first verdict counts. A *false alarm* is an alarm outside what
was planted; an *alarm* is an episode's first point unless a table says points.
"""
