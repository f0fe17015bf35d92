from typing import Any

import pandera.pandas as pa


def work(frame: Any) -> Any:
    pa.infer_schema(frame).validate(frame)
