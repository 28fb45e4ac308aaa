"""Whether a search space's trials fit the machines: GPU memory, CPUs, one number format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from fer_tune.errors import Fault
from fer_tune.space import ChoiceDomain, FloatDomain, IntDomain, SearchSpace, TrialConfig
from fer_tune.training.device.footprint import footprint
from fer_tune.training.device.gpu_share import CONTEXT_BYTES
from fer_tune.yaml_reader.document import Document, KeyPath

GIB = 2**30
#: On top of live tensors: the allocator's rounding, and work space of convolutions.
_ALLOWANCE = 1.1
#: Vendors state gigabytes rather than gibibytes, and some memory is used for error correction.
_USABLE = 0.93


@dataclass(frozen=True, kw_only=True)
class Slot:
    """One kind of worker as trials see it.

    Attributes:
        place: of the node type in the file, for faults.
        gpu_memory: GiB of one GPU; None where it is not known.
        gpus, cpus: of one machine; None where not known.
    """

    place: KeyPath
    name: str
    gpu_memory: float | None
    bfloat16: bool
    gpus: int | None
    cpus: float | None


@dataclass(frozen=True, kw_only=True)
class Largest:
    """The trial of a search space that needs most memory."""

    words: str
    bytes: int


def check_fit(document: Document, space: SearchSpace, slots: list[Slot]) -> Iterator[Fault]:
    """Errors for machines that cannot run the trials of ``space``."""
    share = space.resources.gpu
    with_gpu = [slot for slot in slots if slot.gpus != 0]
    if share and not with_gpu:
        yield document.fault(
            slots[0].place[:1] if slots else (),
            f"has no machine with a GPU, but a trial of {space.name} needs {share:g}",
            remedy="Add one, or search with --set resources.gpu=0",
        )
    for slot in with_gpu if share else slots:
        yield from _cpus(document, space, slot, share)
    if not share:
        return
    if space.precision == "auto" and len({slot.bfloat16 for slot in with_gpu}) > 1:
        for slot in with_gpu:
            if not slot.bfloat16:
                yield document.fault(
                    slot.place,
                    "must support bfloat16 like the other GPUs; otherwise trials differ in "
                    "precision",
                    value=slot.name,
                    remedy="Use another machine, or search with --set precision=float32",
                )
    for slot in with_gpu:
        if slot.gpu_memory is not None:
            yield from _memory(document, space, slot, share)


def _cpus(document: Document, space: SearchSpace, slot: Slot, share: float) -> Iterator[Fault]:
    if slot.cpus is None or (share and slot.gpus is None):
        return
    trials = int((slot.gpus or 0) / share) if share else 1
    wanted = trials * space.resources.cpu
    if slot.cpus < wanted:
        yield document.fault(
            (*slot.place, "resources", "CPU"),
            f"must be at least {wanted:g} for {trials} trial{'s' * (trials > 1)} of {space.name}",
            value=slot.cpus,
            remedy="Use a larger machine, or search with --set resources.cpu="
            f"{slot.cpus / trials:g}",
        )


def _memory(document: Document, space: SearchSpace, slot: Slot, share: float) -> Iterator[Fault]:
    assert slot.gpu_memory is not None
    dtype = torch.float32 if space.precision == "float32" or not slot.bfloat16 else torch.bfloat16
    most = largest(space, dtype)
    needed = most.bytes / GIB * _ALLOWANCE + CONTEXT_BYTES / GIB
    room = slot.gpu_memory * _USABLE * share
    if needed > room:
        yield document.fault(
            slot.place,
            f"is too small for {space.name}: {most.words} needs about {needed:.0f} GiB",
            value=f"{room:.0f} GiB for each trial",
            remedy="Use a larger GPU or a larger share of it (resources.gpu), or lower crop_size, "
            "batch_size or unfreeze_depth",
        )


def largest(space: SearchSpace, dtype: torch.dtype) -> Largest:
    """The trial of ``space`` that needs most memory: memory grows with each of its parts."""
    found: list[Largest] = []
    for config in (config for arm in space.compare.arms for config in _large(space, arm)):
        needed = footprint(
            config.backbone,
            unfreeze_depth=config.unfreeze_depth,
            crop_size=config.crop_size,
            batch_size=config.batch_size,
            optimizer=config.optimizer,
            dtype=dtype,
        )
        words = (
            f"{config.backbone} at depth {config.unfreeze_depth}, {config.crop_size} px, batches "
            f"of {config.batch_size}, {str(dtype).removeprefix('torch.')}"
        )
        found.append(Largest(words=words, bytes=needed.total))
    return max(found, key=lambda one: one.bytes)


def _large(space: SearchSpace, arm: str) -> Iterator[TrialConfig]:
    """Configurations of ``arm`` of which one needs most memory."""
    domains = space.domains(arm)
    sampled: dict[str, Any] = {
        name: top(domains[name])
        for name in ("unfreeze_depth", "crop_size", "batch_size")
        if name in domains
    }
    for name in _values(domains.get("backbone")):
        for optimiser in _values(domains.get("optimizer")):
            chosen = {"backbone": name, "optimizer": optimiser}
            yield space.config(arm, {**sampled, **{k: v for k, v in chosen.items() if v}})
    yield from space.baselines(arm)


def top(domain: FloatDomain | IntDomain | ChoiceDomain) -> int:
    """The largest number that a domain gives."""
    if isinstance(domain, ChoiceDomain):
        return int(max(value for value in domain.values if not isinstance(value, str)))
    return int(domain.high)


def _values(domain: FloatDomain | IntDomain | ChoiceDomain | None) -> list[str | None]:
    """What a choice gives; None alone for a parameter that is not sampled."""
    return list(map(str, domain.values)) if isinstance(domain, ChoiceDomain) else [None]
