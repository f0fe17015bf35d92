"""Makes the chart's schema and the golden files again: python -m tests.helm.regenerate."""

from tests.helm.chart import CASES, CHART, GOLDEN, rendered
from tests.helm.schema import text


def regenerate() -> None:
    (CHART / "values.schema.json").write_text(text())
    GOLDEN.mkdir(exist_ok=True)
    for name, words in CASES.items():
        (GOLDEN / f"{name}.yaml").write_text(rendered(*words))


if __name__ == "__main__":
    regenerate()
