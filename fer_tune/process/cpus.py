"""How many CPUs this process may use, by whatever limits it.

A container or a batch system often leaves all CPUs of the machine visible and takes time from a
process that runs on more than its share: too many trials at once, all of them slow.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_CGROUPS, _MEMBERSHIP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


@dataclass(frozen=True, kw_only=True)
class CpuLimit:
    """CPUs that this process may use, at least 1, and what limits them (empty: nothing)."""

    count: int
    reason: str = ""


def available_cpus() -> int:
    """CPUs that this process may use: the least of what :func:`cpu_limit` knows."""
    return cpu_limit().count


def cpu_limit(cgroups: Path = _CGROUPS, membership: Path = _MEMBERSHIP) -> CpuLimit:
    """The strictest of the machine's CPUs, CPU affinity, cgroup quotas and a Slurm allocation.

    Args:
        cgroups: where the cgroup file systems are mounted.
        membership: lists the cgroups of this process.
    """
    limits = [CpuLimit(count=os.cpu_count() or 1)]
    if hasattr(os, "sched_getaffinity"):  # Linux
        limits.append(CpuLimit(count=len(os.sched_getaffinity(0)), reason="CPU affinity"))
    quotas = _quotas(cgroups, membership)
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


def _quotas(cgroups: Path, membership: Path) -> Iterator[float]:
    """The quota, in CPUs, of this process's cgroup and of each above it (versions 2 and 1)."""
    try:
        lines = membership.read_text(encoding="utf-8").splitlines()
    except OSError:  # no Linux, or no /proc
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        names = controllers.split(",")
        if controllers == "":
            roots, read = [cgroups, cgroups / "unified"], _quota_2
        elif "cpu" in names:
            roots, read = [cgroups / "cpu", cgroups / controllers], _quota_1
        else:
            continue
        # In a container the path may be the host's, which is not visible: then the root is what
        # the container has.
        inner = PurePosixPath(*(part for part in path.split("/") if part not in ("", "..")))
        for root in roots:
            for group in (inner, *inner.parents):
                if (quota := read(root / group)) is not None:
                    yield quota


def _quota_2(folder: Path) -> float | None:
    return _ratio(_words(folder / "cpu.max"))


def _quota_1(folder: Path) -> float | None:
    return _ratio([*_words(folder / "cpu.cfs_quota_us"), *_words(folder / "cpu.cfs_period_us")])


def _ratio(words: list[str]) -> float | None:
    """Quota by period; None without a limit (``max`` or -1)."""
    if len(words) != 2 or not all(word.isascii() and word.isdigit() for word in words):
        return None
    quota, period = map(int, words)
    return quota / period if quota > 0 and period > 0 else None


def _words(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError):
        return []
