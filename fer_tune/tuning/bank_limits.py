"""The bounds of the feature bank, resolved once per search and the same for all its sessions."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from typing import Any

from fer_tune.features.folder import MOST_BYTES, bank_folder, default_bound
from fer_tune.space import SearchSpace
from fer_tune.space.domains import ChoiceDomain, IntDomain
from fer_tune.tuning.log.events import History
from fer_tune.tuning.options import SearchOptions
from fer_tune.tuning.raytune.runtime import RayConnection

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class BankLimits:
    """What runs decide by which features they keep.

    Attributes:
        bytes: of the bank of each machine.
        slots: runs that may train on one machine at the same time.
    """

    bytes: int
    slots: int

    def as_dict(self) -> dict[str, int]:
        """For the event log."""
        return asdict(self)


def bank_limits(
    options: SearchOptions, space: SearchSpace, history: History, engine: RayConnection
) -> BankLimits:
    """The limits that the log has; in a new search, or one of an earlier version, new ones.

    A bound that the user sets for this session replaces the one in the log.
    """
    recorded = history.bank
    bound = options.bank_bytes
    if bound is None and recorded is not None:
        bound = recorded["bytes"]
    if bound is None:
        try:
            bound = default_bound(options.bank or bank_folder())
        except OSError:  # of a driver's machine that runs no trials
            bound = MOST_BYTES
    slots = _slots(space, engine) if recorded is None else recorded["slots"]
    if recorded is not None and bound != recorded["bytes"]:
        logger.warning(
            "the feature bank's bound was %d bytes and is %d now: features that are kept now and "
            "were not, or the other way round, may differ in rounding",
            recorded["bytes"],
            bound,
        )
    limits = BankLimits(bytes=bound, slots=slots)
    logger.info(
        "feature bank: %.1f GiB on each machine, %.1f GiB for each of %d runs at a time",
        *(bound / 2**30, bound / slots / 2**30, slots),
    )
    return limits


def _slots(space: SearchSpace, engine: RayConnection) -> int:
    """Runs at a time on the largest machine that there is now."""
    resources = space.resources
    most = max(1, engine.slots_of_a_machine(resources.cpu, resources.gpu))
    return most if resources.max_concurrent is None else min(most, resources.max_concurrent)


def sampled_depths(space: SearchSpace) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Unfreeze depths that the search may sample, by backbone, with those of its baselines."""
    depths: dict[str, set[int]] = {}
    for arm in space.compare.arms:
        fixed, domain = space.config(arm, {}), space.domains(arm).get("unfreeze_depth")
        found = depths.setdefault(fixed.backbone, set())
        found |= {baseline.unfreeze_depth for baseline in space.baselines(arm)}
        if isinstance(domain, IntDomain):
            found |= set(range(domain.low, domain.high + 1, domain.step))
        elif isinstance(domain, ChoiceDomain):
            found |= {int(value) for value in domain.values}
        else:
            found.add(fixed.unfreeze_depth)
    return tuple((name, tuple(sorted(found))) for name, found in sorted(depths.items()))


def context_fields(limits: BankLimits, space: SearchSpace) -> dict[str, Any]:
    """The fields of a ``TrialContext`` by which its runs decide what they keep."""
    return {
        "bank_bytes": limits.bytes,
        "bank_slots": limits.slots,
        "depths": sampled_depths(space),
    }
