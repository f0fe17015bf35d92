from typing import Any

from evidently import Dataset, Report
from evidently.presets import DataSummaryPreset


def work(frame: Any) -> Any:
    Report([DataSummaryPreset()]).run(Dataset.from_pandas(frame), None).dict()
