"""What a user writes, one file a side: `work(frame)` gives numbers by the names that Lupus gives.

Lines that a user writes are a file's code without imports.
"""
