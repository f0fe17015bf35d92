"""A clock that a test turns."""

from dataclasses import dataclass

NOON = 1_763_726_400_000  # 2025-11-21T12:00:00Z


@dataclass
class TurnedClock:
    """Wall time and passed time; ``step`` moves only the wall."""

    wall_ms: int = NOON
    mono_ms: int = 0

    def now_ms(self) -> int:
        return self.wall_ms

    def passed_ms(self) -> int:
        return self.mono_ms

    def advance(self, ms: int) -> None:
        self.wall_ms += ms
        self.mono_ms += ms

    def step(self, ms: int) -> None:
        self.wall_ms += ms
