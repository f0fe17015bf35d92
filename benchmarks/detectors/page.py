"""The part of docs/performance.md that the file of figures decides."""

from collections.abc import Iterator
from pathlib import Path

from benchmarks.detectors.cost import Outcome, Spread
from benchmarks.detectors.growth import Curve
from benchmarks.detectors.results import Results
from benchmarks.detectors.row import Row
from benchmarks.detectors.rows import ROWS

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "performance.md"
BEGIN = "<!-- made by python -m benchmarks.detectors --page -->"
END = "<!-- end of what it made -->"
PICTURE = "images/growth.svg"

_MET = {"aim": "aim", "goal": "goal", "missed": "**missed**"}


def written_page(results: Results) -> str:
    """The whole page with its part made again."""
    before, begin, rest = PAGE.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{PAGE.name} lacks the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{part(results)}{END}{after}"


def part(results: Results) -> str:
    return "\n\n".join((_machine(results), *_tables(results), *_growth(results))) + "\n"


def _machine(results: Results) -> str:
    machine = results.machine
    versions = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    taken: list[Outcome | Curve] = [*results.rows.values(), *results.growth.values()]
    dates, loads = {one.date for one in taken}, [one.load for one in taken]
    when = " to ".join(sorted({min(dates), max(dates)}))
    return (
        f"{machine['cores']} cores, {machine['model']}; {when}; "
        f"load of the machine {min(loads):.0f} to {max(loads):.0f}. {versions}."
    )


def _tables(results: Results) -> Iterator[str]:
    with_goals = [row for row in ROWS if row.goal]
    yield "### The goals"
    yield _table(with_goals, results, ("goal", "aim", "reached"))
    yield "### Further"
    yield _table([row for row in ROWS if not row.goal], results, ())
    absent = [(row, results.rows[row.name].absent) for row in ROWS
              if row.name in results.rows and results.rows[row.name].absent]  # fmt: skip
    if absent:
        yield "Not measured: " + "; ".join(f"{row.name} ({why})" for row, why in absent) + "."


def _table(rows: list[Row], results: Results, more: tuple[str, ...]) -> str:
    head = (
        "what",
        "against",
        "ratio",
        *more,
        "ours (least to most)",
        "the other",
        "answers",
        "row",
    )
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for row in rows:
        if outcome := results.rows.get(row.name):
            lines.append(f"| {' | '.join(_cells(row, outcome, bool(more)))} |")
    return "\n".join(lines)


def _cells(row: Row, outcome: Outcome, with_goal: bool) -> Iterator[str]:
    yield from (row.what, row.peer.title)
    goal = row.goal
    wanted = (_ratio(goal.least), _ratio(goal.aim)) if goal else ()
    if outcome.ours is None or outcome.peer is None:
        yield from ("-", *wanted, *(("-",) if goal else ()), "-", "-", "not measured")
    else:
        ratio = row.ratio(outcome.ours.median, outcome.peer.median)
        yield from (f"**{_ratio(ratio)}**", *wanted)
        if goal:
            yield _MET[goal.met(ratio)]
        yield from (_spread(outcome.ours, row.unit), _spread(outcome.peer, row.unit))
        yield outcome.agreement or "-"
    yield f"`{row.name}`"


def _ratio(ratio: float) -> str:
    if ratio >= 9.95:
        return f"{ratio:,.0f}x"
    return f"{ratio:.1f}x" if ratio >= 1.95 else f"{ratio:.2f}x"


def _spread(spread: Spread, unit: str) -> str:
    median = _amount(spread.median, unit)
    if spread.least == spread.most:
        return median
    return f"{median} ({_amount(spread.least, unit)} to {_amount(spread.most, unit)})"


def _amount(amount: float, unit: str) -> str:
    if unit == "B":
        return f"{amount / 1e6:.1f} MB"
    for factor, name in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
        if amount * factor >= 1:
            return f"{amount * factor:.3g} {name}"
    return f"{amount * 1e9:.3g} ns"


def _growth(results: Results) -> Iterator[str]:
    if not results.growth:
        return
    yield "### Growth"
    yield f"![Processor time against points and against series]({PICTURE})"
    for against, what in (("points", "points of one series"), ("series", "series of 100 points")):
        curves = [curve for curve in results.growth.values() if curve.against == against]
        sizes = sorted({int(size) for curve in curves for size in curve.seconds})
        head = (what, *(f"{size:,}" for size in sizes), "last tenfold")
        lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
        lines += [f"| {' | '.join(_curve(curve, sizes))} |" for curve in curves]
        yield "\n".join(lines)


def _curve(curve: Curve, sizes: list[int]) -> Iterator[str]:
    yield curve.type
    for size in sizes:
        seconds = curve.seconds.get(str(size))
        yield "-" if seconds is None else _amount(seconds, "s")
    exponent = curve.exponent
    yield "-" if exponent is None else f"{10**exponent:.1f}x"
