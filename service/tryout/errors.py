"""What can be wrong with a file that somebody wants to try.

TryError    the file, a column or an option cannot be used; the message says what is allowed
"""


class TryError(Exception):
    """The file, a column or an option cannot be used as it is."""
