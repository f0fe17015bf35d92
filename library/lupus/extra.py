"""Parts that need a package which not everybody has."""

from lupus.errors import ExtraError


def missing(what: str, extra: str) -> ExtraError:
    """Give the error that says how to get a part.

    Examples
    --------
    >>> print(missing("a plot", "plot"))
    a plot needs packages that are not installed: pip install "lupus[plot]"
    """
    return ExtraError(f'{what} needs packages that are not installed: pip install "lupus[{extra}]"')
