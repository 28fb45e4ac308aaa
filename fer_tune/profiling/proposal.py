"""From what was measured to a share of a GPU per trial. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fer_tune.profiling.cases import Case

#: Trials per GPU that a search space can ask for.
PACKINGS = (1, 2, 4, 8)
#: Twice as many trials on a card must be expected to finish at least this many times as much.
LEAST_GAIN = 1.1


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a few steps of one case showed.

    Attributes:
        peak: most bytes of the device in use by the process, of prefix and steps.
        pictures_per_s: of training steps, features included only where ``prefix_per_s`` is None.
        prefix_per_s: pictures per second through the frozen prefix; None without one.
        busy: share of the time in which the device computed, in (0, 1].
        error: why the case could not be measured; the figures are 0 then.
    """

    case: Case
    peak: int = 0
    pictures_per_s: float = 0.0
    prefix_per_s: float | None = None
    busy: float = 0.0
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """How many trials should share a GPU.

    Attributes:
        packing: trials per GPU; 0 if not even one fits.
        gain: expected throughput against one trial per GPU.
        limit: what keeps it from more: ``memory``, ``busy``, ``cpus`` or ``most`` (a share of 1/8).
    """

    packing: int
    gain: float
    limit: str

    @property
    def share(self) -> str:
        """As ``resources.gpu`` takes it."""
        return "1" if self.packing <= 1 else f"1/{self.packing}"


def propose(
    measured: Sequence[Measured], *, memory: int, context: int, cpus: int, cpus_per_trial: float
) -> Proposal:
    """The packing with the largest expected gain that every measured case fits into.

    A trial alone keeps the device busy for a share b of the time, on average over the cases. k
    trials that take turns keep it busy for min(1, k·b), so they finish min(k, 1/b) times as much;
    the real gain is smaller where their kernels run slower side by side.

    Args:
        memory: bytes of the device.
        context: bytes of each process beside its tensors.
        cpus: of the machine, per GPU.
        cpus_per_trial: ``resources.cpu``.
    """
    usable = [one for one in measured if one.error is None]
    failed = len(usable) < len(measured)
    largest = max((one.peak for one in usable), default=0)
    best = Proposal(packing=0 if failed or not usable else 1, gain=1.0, limit="memory")
    if best.packing == 0 or largest + context > memory:
        return Proposal(packing=0, gain=0.0, limit="memory")
    for packing in PACKINGS[1:]:
        if largest + context > memory / packing:
            return _limited(best, "memory")
        if packing * cpus_per_trial > cpus:
            return _limited(best, "cpus")
        gain = min(packing, len(usable) / sum(one.busy for one in usable))
        if gain < LEAST_GAIN * best.gain:
            return _limited(best, "busy")
        best = Proposal(packing=packing, gain=gain, limit="most")
    return best


def _limited(best: Proposal, limit: str) -> Proposal:
    return Proposal(packing=best.packing, gain=best.gain, limit=limit)
