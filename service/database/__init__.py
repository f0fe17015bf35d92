"""What people did and asked: sources, runs, the queue, the outbox, channels, tokens.

A repository is a module of functions over a transaction; ``database.write()`` and
``database.read()`` open one.
"""
