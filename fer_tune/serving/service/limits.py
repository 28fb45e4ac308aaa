"""What one request, and all of them together, may take."""

from __future__ import annotations

from dataclasses import dataclass, field

_MIB = 2**20


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of a service.

    Attributes:
        body_bytes: of one request.
        body_seconds: from the head of a request to the end of its body.
        all_bodies_bytes: of the bodies in memory at the same time.
        pictures: of one request.
        pixels: of one picture, by the size that its file declares.
        waiting: requests that have been accepted and not been answered.
        answer_seconds: from an accepted request to its answer; longer than a replica needs to be
            replaced.
        connections: at the same time; further ones are closed.
    """

    body_bytes: int = 20 * _MIB
    body_seconds: float = 10.0
    all_bodies_bytes: int = 256 * _MIB
    pictures: int = 16
    pixels: int = 32_000_000
    waiting: int = 32
    answer_seconds: float = 120.0
    connections: int = 512


@dataclass(kw_only=True)
class Bounded:
    """An amount in use that never exceeds a limit.

    Attributes:
        used: now.
        peak: the largest value of ``used`` so far.
    """

    limit: int
    used: int = 0
    peak: int = field(default=0, init=False)

    @property
    def is_full(self) -> bool:
        return self.used >= self.limit

    def take(self, amount: int = 1) -> bool:
        """Takes ``amount``, or nothing and returns False if there is not as much left."""
        if self.used + amount > self.limit:
            return False
        self.used += amount
        self.peak = max(self.peak, self.used)
        return True

    def give(self, amount: int = 1) -> None:
        """Gives back what was taken."""
        assert 0 <= amount <= self.used
        self.used -= amount
