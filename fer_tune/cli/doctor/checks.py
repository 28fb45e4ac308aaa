"""The criteria of `fer-tune doctor`: from figures to a `Check`; nothing is read here.

Sizes are in bytes. ``pip`` stands for the command that runs pip for the Python in use. The remedy
of a check that is ``ok`` is an optional hint.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

GIB = 2**30

#: The largest trial of the measurements in ``benchmarks/RESULTS.md`` took 3.9 GiB.
TRIAL_MEMORY = 4 * GIB
#: What the shipped searches for GPUs ask for as ``resources.cpu``.
TRIAL_CPUS = 2
#: Ray opens some hundred sockets and files per process that it starts.
DESCRIPTORS = 4096
#: A Ray that a search starts keeps 200 MiB of objects in shared memory, or else on the disk.
SHARED_MEMORY = 256 * 2**20


class State(StrEnum):
    """The result of a check. Only ``missing`` prevents a search."""

    OK = "ok"
    WARNING = "warning"
    MISSING = "missing"


@dataclass(frozen=True, kw_only=True)
class Check:
    """A check: its name, state, finding, and a remedy in one sentence."""

    name: str
    state: State
    found: str
    remedy: str = ""


def check_project(version: str | None, *, pip: str) -> Check:
    """fer-tune itself; None if it is not installed."""
    if version is None:
        return Check(
            name="fer-tune",
            state=State.WARNING,
            found="not installed as a package, so the required versions are unknown",
            remedy=f"In its folder, run `{pip} install -c constraints.txt -e .`",
        )
    return Check(name="fer-tune", state=State.OK, found=version)


def check_python(version: str, wanted: str) -> Check:
    """``wanted``: a version specifier such as ``>=3.11``; empty allows all."""
    if _allows(wanted, version):
        return Check(name="python", state=State.OK, found=_with_range(version, wanted))
    return Check(
        name="python",
        state=State.MISSING,
        found=f"{version}, but {wanted} is required",
        remedy="Install fer-tune with such a Python",
    )


def check_library(requirement: str, installed: str | None, *, pip: str, use: str = "") -> Check:
    """One library.

    Args:
        requirement: as in a package's metadata, for example ``torch<3,>=2.9``.
        installed: its version; None when it is not there.
        use: what an optional library is for; empty for one that must be there.
    """
    from packaging.requirements import Requirement

    wanted = Requirement(requirement)
    limits = _ordered(str(wanted.specifier))
    extras = f"[{','.join(sorted(wanted.extras))}]" if wanted.extras else ""
    install = f"{pip} install '{wanted.name}{extras}{limits}'"
    if installed is not None and _allows(limits, installed):
        return Check(name=wanted.name, state=State.OK, found=_with_range(installed, limits))
    if installed is None and use:
        return Check(
            name=wanted.name,
            state=State.OK,
            found=f"not installed; needed only for {use}",
            remedy=f"To install it, run `{install}`",
        )
    return Check(
        name=wanted.name,
        state=State.WARNING if use else State.MISSING,
        found="not installed" if installed is None else f"{installed}, but {limits} is required",
        remedy=f"Run `{install}`",
    )


def check_torch_pair(torch: str, torchvision: str, wanted: str, problem: str, *, pip: str) -> Check:
    """Whether torch and torchvision fit together.

    Args:
        wanted: the versions of torch that torchvision's metadata ask for.
        problem: with torchvision's compiled operators; empty when they work.
    """
    name, found = "torch with torchvision", f"torch {torch}, torchvision {torchvision}"
    remedy = f"Reinstall both with one command: `{pip} install --force-reinstall torch torchvision`"
    if problem:
        found = f"{found} are incompatible: {problem}"
        return Check(name=name, state=State.MISSING, found=found, remedy=remedy)
    if not _allows(wanted, torch):
        found = f"{found}, built for torch {_ordered(wanted)}"
        return Check(name=name, state=State.WARNING, found=found, remedy=remedy)
    return Check(name=name, state=State.OK, found="they are compatible")


def check_accelerators(
    gpus: Sequence[str],
    *,
    cuda: str | None,
    card: bool,
    hidden: str | None = None,
    problem: str = "",
) -> Check:
    """What trials can run on.

    Args:
        gpus: those that torch can use, by name.
        cuda: the CUDA version that torch is built for; None for a build without.
        card: whether this machine has an NVIDIA card, seen without its driver.
        hidden: the value of ``CUDA_VISIBLE_DEVICES``; None when it is not set.
        problem: the complaint of the driver.
    """
    name, on_cpu = "accelerators", "trials run on the CPU"
    if gpus:
        return Check(name=name, state=State.OK, found=", ".join(gpus))
    if cuda is None:
        if not card:
            return Check(name=name, state=State.OK, found=f"none: {on_cpu}")
        return Check(
            name=name,
            state=State.WARNING,
            found=f"an NVIDIA card, but torch is built without CUDA: {on_cpu}",
            remedy="Install builds of torch and torchvision with CUDA, as described on pytorch.org",
        )
    if card and hidden is not None:
        return Check(
            name=name,
            state=State.WARNING,
            found=f"an NVIDIA card, hidden by CUDA_VISIBLE_DEVICES={hidden!r}: {on_cpu}",
            remedy="Run `unset CUDA_VISIBLE_DEVICES` to use it",
        )
    driver = f"install a driver for CUDA {cuda} until `nvidia-smi` lists the GPU"
    if card or problem:
        seen = "an NVIDIA card, but " if card else ""
        complaint = f" ({problem})" if problem else ""
        return Check(
            name=name,
            state=State.WARNING,
            found=f"{seen}no GPU that torch can use: {on_cpu}{complaint}",
            remedy=f"To use it, {driver}",
        )
    return Check(
        name=name,
        state=State.OK,
        found=f"none: {on_cpu}",
        remedy=f"With an NVIDIA GPU, {driver}",
    )


def check_cpus(count: int, *, machine: int | None = None, reason: str = "") -> Check:
    """CPUs that this process may use.

    Args:
        machine: CPUs of the machine, if known.
        reason: what limits this process to fewer.
    """
    limited = machine is not None and count < machine
    found = f"{count} of the machine's {machine} ({reason})" if limited else str(count)
    if count < TRIAL_CPUS:
        return Check(
            name="CPUs",
            state=State.WARNING,
            found=f"{found}; some shipped search spaces use {TRIAL_CPUS} per trial",
            remedy="Search with `--set resources.cpu=1`",
        )
    return Check(name="CPUs", state=State.OK, found=found)


def check_memory(total: int, available: int) -> Check:
    """Memory of the machine or container, and what of it programs can still have."""
    found = f"{gib(total)}, {gib(available)} of it free"
    if available >= TRIAL_MEMORY:
        return Check(name="memory", state=State.OK, found=found)
    remedy = (
        "Use a machine or container with more memory; otherwise trials may be killed"
        if total < TRIAL_MEMORY
        else "Close programs that use a lot of memory; otherwise trials may be killed"
    )
    return Check(
        name="memory",
        state=State.WARNING,
        found=f"{found}; one trial can take {gib(TRIAL_MEMORY)}",
        remedy=remedy,
    )


def check_descriptors(soft: int | None, hard: int | None) -> Check:
    """Limits on open files of one process, as the shell sets them; None for no limit."""
    if soft is None or soft >= DESCRIPTORS:
        return Check(name="open files", state=State.OK, found=f"up to {soft or 'any number'}")
    target = 65536 if hard is None else min(65536, hard)
    remedy = (
        f"Run `ulimit -n {target}` in the shell that starts the search"
        if target >= DESCRIPTORS
        else f"Ask the administrator to raise the limit `nofile` to {DESCRIPTORS} or more"
    )
    return Check(
        name="open files",
        state=State.WARNING,
        found=f"up to {soft}; Ray can need {DESCRIPTORS}",
        remedy=remedy,
    )


def check_shared_memory(free: int | None) -> Check:
    """Free space of ``/dev/shm``; None when there is none."""
    if free is not None and free >= SHARED_MEMORY:
        return Check(name="shared memory", state=State.OK, found=f"{gib(free)} free in /dev/shm")
    found = "no /dev/shm" if free is None else f"{free / 2**20:.0f} MiB free in /dev/shm"
    return Check(
        name="shared memory",
        state=State.WARNING,
        found=f"{found}; Ray slows down below {SHARED_MEMORY // 2**20} MiB",
        remedy="Delete old files in /dev/shm, or start the container with `--shm-size=1g`",
    )


def check_weights(backbone: str, *, folder: Path, file: Path | None, problem: str = "") -> Check:
    """The ImageNet weights (V1) of one backbone. Searches without them are possible.

    Args:
        folder: where fetched files go.
        file: the one found, in that folder or in PyTorch's own cache; None if there is none.
        problem: why it cannot be used; empty if it can.
    """
    name = f"weights of {backbone}"
    fetch = f"`fer-tune weights fetch {backbone}`"
    if file is None:
        return Check(
            name=name,
            state=State.WARNING,
            found=f"not in {folder}",
            remedy=f"Run {fetch}, or search with `--set weights=none`",
        )
    if problem:
        return Check(
            name=name,
            state=State.WARNING,
            found=f"{file}: {problem}",
            remedy=f"Delete that file, then run {fetch}; or search with `--set weights=none`",
        )
    return Check(name=name, state=State.OK, found=str(file))


def check_ray_address(address: str | None, *, answers: bool | None) -> Check:
    """A running Ray that the environment names.

    Args:
        address: the value of ``RAY_ADDRESS``; None or empty when it is not set.
        answers: whether something listens there; None if the address has no port.
    """
    name = "running Ray"
    if not address:
        return Check(
            name=name, state=State.OK, found="RAY_ADDRESS is not set: a search starts its own Ray"
        )
    if answers is False:
        return Check(
            name=name,
            state=State.WARNING,
            found=f"RAY_ADDRESS is {address}, but nothing listens there",
            remedy="Run `unset RAY_ADDRESS`, or start Ray there",
        )
    return Check(
        name=name,
        state=State.OK,
        found=f"RAY_ADDRESS is {address}" + (", and it is reachable" if answers else ""),
        remedy=f"Search on it with `--address {address}`, or run `unset RAY_ADDRESS` to start one",
    )


def check_ray(seconds: float, problem: str, *, logs: Path) -> Check:
    """The result of starting a Ray; ``problem`` is empty when it worked in ``seconds``."""
    if problem:
        return Check(
            name="starting Ray",
            state=State.MISSING,
            found=problem,
            remedy=f"See Ray's logs in {logs} for the cause",
        )
    return Check(
        name="starting Ray",
        state=State.OK,
        found=f"started, ran a task and stopped in {seconds:.0f} s",
    )


def _allows(wanted: str, version: str) -> bool:
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(wanted).contains(version, prereleases=True)


def _ordered(wanted: str) -> str:
    """``<3,>=2.9`` as one would say it: ``>=2.9,<3``."""
    return ",".join(sorted(filter(None, wanted.split(",")), reverse=True))


def _with_range(version: str, wanted: str) -> str:
    return f"{version} ({_ordered(wanted)})" if wanted else version


def gib(size: int) -> str:
    return f"{size / GIB:.1f} GiB"
