"""A step beyond the detector's own, in the same shape."""

from dataclasses import dataclass

from detectors.explain import Fact

__all__ = ["Fact", "Step"]


@dataclass(frozen=True, slots=True)
class Step:
    """``kind`` is one of the detector's, or points, stored, told."""

    kind: str
    says: str
    facts: tuple[Fact, ...] = ()
