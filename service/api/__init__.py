"""The HTTP API below /v1: one module per resource.

A route checks the caller, reads its body or query, asks a repository or a store, and answers.
What is refused becomes a problem document in `problems.py`, the one place that knows statuses.
"""
