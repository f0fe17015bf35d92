"""Rules for values of any type: which ones, how many, how distributed."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, ClassVar, Optional, Union

import numpy as np

from lupus.checks.finding import Finding, percent, shortened
from lupus.checks.rule import Rule, Seen, examples, require
from lupus.drift.samples import Samples, category_counts, number_counts
from lupus.errors import ChecksError


@dataclass(frozen=True)
class Unique(Rule):
    """There are about as many different values as before."""

    name: ClassVar[str] = "unique"
    families: ClassVar[tuple[str, ...]] = ("number", "text", "boolean", "date", "array")
    severity: str = "warn"
    at_least: int = 0
    at_most: Optional[int] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require("at_least", self.at_least, 0)
        if self.at_most is not None:
            require("at_most", self.at_most, self.at_least)

    def look(self, seen: Seen) -> Finding:
        """Measure the number of different values."""
        counted = seen.numeric or seen.frequent
        unique = None if counted is None else counted.unique
        allowed = f"at least {self.at_least:,}"
        if self.at_most is not None:
            allowed = f"{self.at_least:,} to {self.at_most:,}"
        if unique is None:
            return self.found(seen, None, "no values", allowed, measures={"unique": None})
        high = inf if self.at_most is None else self.at_most
        return self.found(
            seen,
            self.at_least <= unique <= high,
            f"{unique:,.0f} different values",
            allowed,
            measures={"unique": float(unique)},
        )


@dataclass(frozen=True)
class Categories(Rule):
    """Values are among those that are known, but for a share of them."""

    name: ClassVar[str] = "categories"
    families: ClassVar[tuple[str, ...]] = ("text", "boolean", "date", "number", "array")
    known: Sequence[str] = ()
    unknown: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.known, str) or not self.known:
            raise ChecksError(f"known is a list of values, not {shortened(self.known)}")
        require("unknown", self.unknown, 0, 1)

    def look(self, seen: Seen) -> Finding:
        """Measure the share of values that are not known."""
        known = {_text(value) for value in self.known}
        allowed = f"{_list(sorted(known))}, but for {percent(self.unknown)}"
        frequent = seen.frequent
        if frequent is None or not frequent.total:
            return self.found(seen, None, "no values", allowed, measures={"unknown_share": None})
        others = {value: rows for value, rows in frequent.counts().items() if value not in known}
        there = sum(rows for value, rows in frequent.counts().items() if value in known)
        unknown = max(frequent.total - there, 0)
        return self.found(
            seen,
            unknown / frequent.total <= self.unknown,
            f"{unknown:,} of {frequent.total:,} values are not known",
            allowed,
            measures={"unknown_share": unknown / frequent.total},
            examples=examples(others),
        )


@dataclass(frozen=True)
class Pattern(Rule):
    """Texts match a regular expression as a whole, but for a share of them."""

    name: ClassVar[str] = "pattern"
    families: ClassVar[tuple[str, ...]] = ("text",)
    regex: str = ""
    mismatch: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            re.compile(self.regex)
        except (re.error, TypeError) as error:
            raise ChecksError(f"regex {shortened(self.regex)} is none: {error}") from None
        if not self.regex:
            raise ChecksError("a pattern has a regex")
        require("mismatch", self.mismatch, 0, 1)

    def look(self, seen: Seen) -> Finding:
        """Measure the share of texts that do not match."""
        share = seen.mismatched / seen.rows if seen.rows else None
        return self.found(
            seen,
            None if share is None else share <= self.mismatch,
            f"{seen.mismatched:,} of {seen.rows:,} texts do not match",
            f"{self.regex}, but for {percent(self.mismatch)}",
            measures={"mismatch_share": share},
            examples=examples(seen.mismatches),
        )


@dataclass(frozen=True)
class Distribution(Rule):
    """Values are distributed as before: by bins of numbers or by category.

    The shares are the reference's: of numbers, those below the first edge, up to each next edge,
    and above the last; of categories, each one's. ``rows`` is how many it had. ``log_probability``
    is the least mean of ln of the reference's shares of the values that are seen.
    """

    name: ClassVar[str] = "distribution"
    families: ClassVar[tuple[str, ...]] = ("number", "text", "boolean", "date", "array")
    severity: str = "warn"
    rows: int = 0
    shares: Union[Sequence[float], Mapping[str, float]] = ()
    edges: Sequence[float] = ()
    js: float = 0.05  # half a standard deviation of a normal distribution
    log_probability: Optional[float] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for share in self.shares.values() if isinstance(self.shares, Mapping) else self.shares:
            require("each of shares", share, 0, 1)
        for edge in self.edges:
            require("each of edges", edge)
        bins = len(self.edges) + 1 if len(self.edges) > 1 else 3
        if self.edges and (isinstance(self.shares, Mapping) or len(self.shares) != bins):
            raise ChecksError(f"{len(self.edges)} edges have {bins} shares, not {len(self.shares)}")
        if any(one >= two for one, two in zip(self.edges, self.edges[1:])):
            raise ChecksError("edges ascend")
        if not self.edges and not isinstance(self.shares, Mapping):
            raise ChecksError("shares without edges are those of categories: {jp: 0.7, tw: 0.3}")
        require("js", self.js, 0, 1)
        require("rows", self.rows, 1)
        if self.log_probability is not None:
            require("log_probability", self.log_probability, -inf, 0)

    def look(self, seen: Seen) -> Finding:
        """Measure how far the shares are from the reference's."""
        samples = self._samples(seen)
        js = None if samples is None else samples.js()
        measures = {
            "js": js,
            "psi": None if samples is None else samples.psi(),
            "log_probability": None if samples is None else samples.probability(),
        }
        allowed = f"a Jensen-Shannon divergence of at most {self.js:g}"
        if self.log_probability is not None:
            allowed += f", a mean log probability of at least {self.log_probability:g}"
        if samples is None or js is None:
            return self.found(seen, None, "no values", allowed, measures=measures)
        before = samples.reference / samples.reference.sum()
        now = samples.sample / samples.sample.sum()
        most = int(np.argmax(np.abs(now - before)))
        said = (
            f"the divergence is {js:.3g}; {samples.names[most]} has "
            f"{percent(now[most])}, before {percent(before[most])}"
        )
        probable = samples.probability()
        improbable = self.log_probability is not None and (probable or 0.0) < self.log_probability
        if improbable:
            said += f"; the mean log probability is {probable:.3g}"
        return self.found(seen, js <= self.js and not improbable, said, allowed, measures=measures)

    def _samples(self, seen: Seen) -> Optional[Samples]:
        if isinstance(self.shares, Mapping):
            if seen.frequent is None or not seen.frequent.total:
                return None
            before = {_text(name): share * self.rows for name, share in self.shares.items()}
            return category_counts(before, seen.frequent)
        if seen.numeric is None or seen.numeric.quantiles is None:
            return None
        names, counts = number_counts(list(self.edges), seen.numeric.quantiles)
        return Samples(names, np.array(self.shares, np.float64) * self.rows, counts)


def _text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _list(values: Sequence[str], most: int = 10) -> str:
    more = f" and {len(values) - most} more" if len(values) > most else ""
    return ", ".join(map(shortened, values[:most])) + more
