"""Makes the index again: points from the archive, what runs said from the archive, verdicts from
the database.

Every write is guarded by a sequence or a generation, so it can be repeated after any death, and
beside a service at work it undoes nothing newer.
"""
