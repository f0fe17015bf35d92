"""How many different values there are, of values that come in parts."""

from dataclasses import dataclass
from math import inf, sqrt
from typing import Any

import numpy as np

from lupus.statistics.packing import pack, unpack

Array = Any

PRECISION = 14
REGISTERS = 1 << PRECISION
_REST = 64 - PRECISION


@dataclass(frozen=True, eq=False)
class Distinct:
    """HyperLogLog of 64-bit hashes (Flajolet and others, 2007; estimate of Ertl, 2017).

    Of 16,384 registers, one byte each: the standard error is 0.81 % of the number. The order and
    the parts do not matter.
    """

    registers: Array

    @classmethod
    def of(cls, hashes: Array) -> "Distinct":
        """Count hashes, uint64, shape (n,)."""
        register = (hashes >> np.uint64(_REST)).astype(np.int64)
        rest = hashes & np.uint64((1 << _REST) - 1)
        # The rest has 50 bits: float64 holds it exactly.
        rank = _REST - np.frexp(rest.astype(np.float64))[1] + 1
        if len(hashes) < REGISTERS:
            registers = np.zeros(REGISTERS, np.uint8)
            np.maximum.at(registers, register, rank.astype(np.uint8))
            return cls(registers)
        seen = (
            np.bincount(register * 64 + rank, minlength=REGISTERS * 64).reshape(REGISTERS, 64) > 0
        )
        highest = 63 - np.argmax(seen[:, ::-1], axis=1)
        return cls(np.where(seen.any(axis=1), highest, 0).astype(np.uint8))

    def merge(self, other: "Distinct") -> "Distinct":
        """Count both."""
        return Distinct(np.maximum(self.registers, other.registers))

    @property
    def relative_error(self) -> float:
        """Standard error as a share of the number."""
        return 1.04 / sqrt(REGISTERS)

    @property
    def estimate(self) -> float:
        """How many different hashes there were, about."""
        many = np.bincount(self.registers, minlength=_REST + 2).astype(np.float64)
        total = REGISTERS * _tau(1 - many[_REST + 1] / REGISTERS)
        for rank in range(_REST, 0, -1):
            total = 0.5 * (total + many[rank])
        total += REGISTERS * _sigma(many[0] / REGISTERS)
        return float(REGISTERS * REGISTERS / (2 * np.log(2) * total))

    def to_text(self) -> str:
        """Give the registers, packed."""
        return pack(self.registers)

    @classmethod
    def from_text(cls, text: str) -> "Distinct":
        """Read what ``to_text`` gave."""
        return cls(unpack(text, "u1"))


def _sigma(share: float) -> float:
    if share == 1:
        return inf
    total, step = share, 1.0
    while True:
        share *= share
        before = total
        total += share * step
        step += step
        if total == before:
            return total


def _tau(share: float) -> float:
    if share in (0, 1):
        return 0.0
    total, step = 1 - share, 1.0
    while True:
        share = sqrt(share)
        before = total
        step *= 0.5
        total -= (1 - share) ** 2 * step
        if total == before:
            return total / 3
