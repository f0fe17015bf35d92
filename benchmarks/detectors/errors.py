"""Why a row has no figures.

Exception
├── AbsentError        a peer is not here
└── DisagreementError  both sides were there and did not find the same
"""


class AbsentError(Exception):
    """A peer cannot run on this machine."""


class DisagreementError(Exception):
    """Both sides' answers differ: their times cannot be compared."""
