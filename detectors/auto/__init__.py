"""A detector chosen for each series by what is known of it before the checked range.

A *choice* is a detector's parameters and the reason for them; the rule that makes it stands in
`choice` alone, and docs/quality.md has the figures behind it.
"""

from detectors.auto.choice import Choice, choice_for
from detectors.auto.detector import Auto

__all__ = ["Auto", "Choice", "choice_for"]
