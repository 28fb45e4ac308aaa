"""Which features a run keeps in the bank: decided before its first epoch, from the search alone.

A run reads the same views again and again: its cycle is its training views plus validation. With
room for all but one of them, the least recently used entry would always be the one that is needed
next, and every read would be a miss. So a run keeps its whole cycle or nothing.

The decision depends on the search space, the sizes of the splits, the bound of the bank and the
kind of device. It is the same in every run of a configuration, on every machine and after a resume.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Reason = Literal["kept", "no room", "cheaper to compute", "read once"]


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Speeds by which reading is weighed against computing; rough, as either wins by far.

    Attributes:
        operations: floating-point operations per second of a prefix.
        pixel: seconds per pixel of a view, resizing included.
        read: bytes per second that an entry is written and read with.
    """

    operations: float
    pixel: float
    read: float


#: By kind of device. CPU: measured with one thread, see ``benchmarks/training/bank.py``; other
#: devices: assumed, with small crops in mind.
COSTS = {"cpu": Cost(operations=3e10, pixel=5e-8, read=1e9)}
ACCELERATOR = Cost(operations=1e13, pixel=5e-10, read=1e9)


@dataclass(frozen=True, kw_only=True)
class CutSize:
    """What one picture takes at a cut.

    Attributes:
        row_bytes: of its features.
        operations: floating-point operations of the prefix, from pixels to the cut.
    """

    row_bytes: int
    operations: int


@dataclass(frozen=True, kw_only=True)
class Reads:
    """What a run reads.

    Attributes:
        views: different training views.
        again: whether a training view is read more than once, by this run or by others.
        train, validation: pictures.
    """

    views: int
    again: bool
    train: int
    validation: int


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What a run keeps of its own cut's features, and of deeper cuts' on the way to it.

    Attributes:
        train, validation: whether features of training views, of validation are kept.
        size: bytes of what is kept.
        byproducts: depths of the other cuts whose features are kept too.
        reason: why training views are kept or not.
    """

    train: bool
    validation: bool
    size: int
    byproducts: tuple[int, ...] = ()
    reason: Reason


def decide(
    depth: int,
    cuts: Mapping[int, CutSize],
    sampled: Iterable[int],
    reads: Reads,
    *,
    room: int,
    crop_size: int,
    device: str,
    entry_bytes: Callable[[int, int], int],
) -> Decision:
    """The decision for runs of unfreeze depth ``depth``.

    Args:
        cuts: by depth, of this and of the deeper cuts that its prefix passes.
        sampled: unfreeze depths that the search may sample with this backbone.
        room: bytes that one run may take of the bank.
        device: its kind, such as ``cpu``.
        entry_bytes: the size of an entry's file, from its depth and number of rows.
    """

    def worth(cut: CutSize) -> bool:
        cost = COSTS.get(device, ACCELERATOR)
        computing = cut.operations / cost.operations + crop_size**2 * cost.pixel
        return cut.row_bytes / cost.read < computing

    def cycle(depth: int) -> int:
        views = reads.views * entry_bytes(depth, reads.train) if reads.again else 0
        return views + entry_bytes(depth, reads.validation)

    size = cycle(depth)
    if not worth(cuts[depth]):
        return Decision(train=False, validation=False, size=0, reason="cheaper to compute")
    if size > room:
        return Decision(train=False, validation=False, size=0, reason="no room")
    byproducts = []
    others = {d: c for d, c in cuts.items() if d > depth and d in set(sampled) and worth(c)}
    for other in sorted(others, key=lambda d: (others[d].row_bytes, d)):
        if size + cycle(other) <= room:
            size += cycle(other)
            byproducts.append(other)
    reason: Reason = "kept" if reads.again else "read once"
    return Decision(
        train=reads.again,
        validation=True,
        size=size,
        byproducts=tuple(sorted(byproducts)),
        reason=reason,
    )
