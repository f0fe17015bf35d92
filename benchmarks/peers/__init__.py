"""The other sides: one module for each peer, run in an environment of its own.

NAME.py is the peer's work, NAME.txt what its environment holds, pinned; r.R is R's. They import
nothing of Lupus. `worker` is how a measurement talks with any of them.
"""
