"""Why a point was, was not, or could not be judged an anomaly.

An *explanation* is an ordered trace: value, baseline, bound, the gates (direction, minimum change,
consecutive, exclusion, missing), verdict. Each *step* says in a sentence what the *facts* that it
carries mean; `replay` computes the verdict from these facts alone. An *account* is what a detector
tells of its baseline.
"""

from detectors.explain.account import Account
from detectors.explain.explanation import KINDS, Explanation, Fact, Kind, Step
from detectors.explain.replay import Verdict, replay

__all__ = [
    "KINDS",
    "Account",
    "Explanation",
    "Fact",
    "Kind",
    "Step",
    "Verdict",
    "replay",
]
