"""Tables of other libraries, read one column at a time.

Types of columns have the same names whatever the engine: integer, float, decimal, boolean, text,
date, timestamp, null, ``array of`` one of these, and ``other`` with the engine's own name.
"""
