from typing import Any

from ydata_profiling import ProfileReport


def work(frame: Any) -> Any:
    ProfileReport(frame, minimal=True, progress_bar=False).get_description()
