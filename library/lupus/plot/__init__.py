"""Pictures of series: matplotlib (extra ``plot``) or plotly (extra ``plotly``)."""

from collections.abc import Sequence
from typing import Any

from lupus.chart import Chart
from lupus.errors import MetricsError
from lupus.extra import missing

__all__ = ["figure"]


def figure(charts: Sequence[Chart], engine: str) -> Any:
    """Draw series below each other."""
    if not charts:
        raise MetricsError("there is no series to draw")
    if engine == "matplotlib":
        try:
            import matplotlib  # noqa: F401, PLC0415  half a second
        except ImportError:
            raise missing("a plot", "plot") from None
        from lupus.plot.still import still_figure  # noqa: PLC0415

        return still_figure(charts)
    if engine == "plotly":
        try:
            import plotly  # noqa: F401, PLC0415
        except ImportError:
            raise missing("a plot with plotly", "plotly") from None
        from lupus.plot.interactive import interactive_figure  # noqa: PLC0415

        return interactive_figure(charts)
    raise MetricsError(f"engine={engine!r}: allowed are 'matplotlib' and 'plotly'")
