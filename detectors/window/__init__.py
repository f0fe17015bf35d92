"""Window: a point against the points before it.

A *span* is the run of slots whose points form a point's baseline. Points of a span that share the
point's *key* (the hour of the day, say) give its centre, and the spread when that is not pooled.
"""

from detectors.window.detector import Window

__all__ = ["Window"]
