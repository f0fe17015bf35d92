"""Looks at every configured part and says what is wrong and what to do.

part
    What a setting chose: the database, the archive, the executor; see `examination.PARTS`.
finding
    One thing that was looked at (`storage.check.Finding`): ok, a warning, or failed.

A module is one part, with a function ``check(settings)``. It leaves nothing behind.
"""
