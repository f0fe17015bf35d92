from typing import Any

import whylogs


def work(frame: Any) -> Any:
    whylogs.log(frame).profile().view().to_pandas()
