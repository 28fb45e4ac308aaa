"""How many CPUs this process may use, by whatever limits it.

A container or a batch system often leaves all CPUs of the machine visible and takes time from a
process that runs on more than its share: too many trials at once, all of them slow.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fer_tune.process.cgroups import MEMBERSHIP, ROOT, own_cgroups, words_of


@dataclass(frozen=True, kw_only=True)
class CpuLimit:
    """CPUs that this process may use, at least 1, and what limits them (empty: nothing)."""

    count: int
    reason: str = ""


def available_cpus() -> int:
    """CPUs that this process may use: the least of what :func:`cpu_limit` knows."""
    return cpu_limit().count


def cpu_limit(root: Path = ROOT, membership: Path = MEMBERSHIP) -> CpuLimit:
    """The strictest of the machine's CPUs, CPU affinity, cgroup quotas and a Slurm allocation.

    Args:
        root: where the cgroup file systems are mounted.
        membership: lists the cgroups of this process.
    """
    limits = [CpuLimit(count=os.cpu_count() or 1)]
    if hasattr(os, "sched_getaffinity"):  # Linux
        limits.append(CpuLimit(count=len(os.sched_getaffinity(0)), reason="CPU affinity"))
    quotas = _quotas(root, membership)
    # Part of a CPU is left: one more trial than the quota allows would slow all of them down.
    limits += [CpuLimit(count=max(1, int(q)), reason=f"cgroup quota of {q:g}") for q in quotas]
    if (allocated := _slurm()) is not None:
        limits.append(CpuLimit(count=allocated, reason="Slurm allocation"))
    return min(limits, key=lambda limit: limit.count)


def _slurm() -> int | None:
    """CPUs of this node in the Slurm allocation; of this task, if ``srun`` started it."""
    names = ["SLURM_CPUS_ON_NODE"]
    if "SLURM_STEP_ID" in os.environ:  # a batch script has the variable too, and the whole node
        names.append("SLURM_CPUS_PER_TASK")
    found = [os.environ.get(name, "") for name in names]
    counts = [int(text) for text in found if text.isascii() and text.isdigit() and int(text) > 0]
    return min(counts, default=None)


def _quotas(root: Path, membership: Path) -> Iterator[float]:
    """The quota, in CPUs, of this process's cgroup and of each above it."""
    for version, folder in own_cgroups("cpu", root, membership):
        names = ["cpu.max"] if version == 2 else ["cpu.cfs_quota_us", "cpu.cfs_period_us"]
        words = [word for name in names for word in words_of(folder / name)]
        # Without a limit the first is "max" or -1.
        if len(words) == 2 and all(word.isascii() and word.isdigit() for word in words):
            quota, period = map(int, words)
            if quota > 0 and period > 0:
                yield quota / period
