"""Imports metrics of an MLflow server into a source, over plain HTTP on both sides.

`server` asks politely, `tracking` reads experiments, runs and versions out of the answers,
`mapping` makes points of them, `days` sends them in parts that say by themselves how far an import
came, and `run` goes over everything. `lupus` is the service that gets the points.
"""
