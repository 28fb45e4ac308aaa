"""The input of the tail: prefix outputs of one view of a set of pictures."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fer_tune.features.bank import FeatureBank, entry_key
from fer_tune.features.decision import Decision
from fer_tune.features.entries import Entry, as_tensor
from fer_tune.features.memory import MemoryFit, parts
from fer_tune.features.prefix import FrozenPrefix, from_stored, stored_layout
from fer_tune.features.resident import ResidentFeatures

#: Pictures per canonical chunk on the CPU: prefix outputs are computed in these, in order of
#: position, never in batch order, because kernels may round differently for other batch shapes.
CHUNK = 128
#: On an accelerator, whose kernels need more pictures to fill it; fewer where they are large.
_LARGE_CHUNK, _LARGEST_CHUNK, _SMALL_CROP = 512, 1024, 96

PictureSource = Callable[[NDArray[np.int64], int | None], Tensor]


def chunk_size(device: torch.device, crop_size: int) -> int:
    """Pictures per canonical chunk of prefix features and of evaluation."""
    if device.type == "cpu":
        return CHUNK
    return _LARGEST_CHUNK if crop_size <= _SMALL_CROP else _LARGE_CHUNK


class FeatureSource(Protocol):
    """Rows of features, addressed by their place in the set (0 .. n-1)."""

    hit: bool | None  # already in the bank; None if the bank is not used

    def __len__(self) -> int: ...

    def rows(self, places: NDArray[np.int64]) -> Tensor:
        """Features of ``places`` on the device, shape (len(places), ...), channels last."""
        ...


@dataclass(kw_only=True)
class BankedFeatures:
    """Features read from a memory map of the bank; 4-D ones are stored channels last."""

    mapped: NDArray[np.generic]
    dtype: torch.dtype
    device: torch.device
    hit: bool | None

    def __len__(self) -> int:
        return len(self.mapped)

    def rows(self, places: NDArray[np.int64]) -> Tensor:
        features = as_tensor(np.asarray(self.mapped[places]), self.dtype)
        return from_stored(features.to(self.device, non_blocking=True))


@dataclass(kw_only=True)
class DeviceFeatures:
    """Features of a whole view in the device's memory, in the layout of the bank."""

    view: Tensor
    hit: bool | None

    def __len__(self) -> int:
        return len(self.view)

    def rows(self, places: NDArray[np.int64]) -> Tensor:
        chosen = torch.from_numpy(places).to(self.view.device, non_blocking=True)
        return from_stored(self.view.index_select(0, chosen))


@dataclass(kw_only=True)
class StreamedFeatures:
    """Features computed on demand, for entries that the bank may not or cannot hold.

    Computed in batch order, so they may round differently from banked ones where kernels depend on
    the shape of the batch.
    """

    count: int
    compute: Callable[[NDArray[np.int64]], Tensor]
    hit: bool | None = None

    def __len__(self) -> int:
        return self.count

    def rows(self, places: NDArray[np.int64]) -> Tensor:
        return self.compute(places)


@dataclass(frozen=True, kw_only=True)
class Cut:
    """The features of one cut in the bank.

    Attributes:
        identity: what features of every view depend on, for the content address.
        label: of the entries' files.
        row: shape of one picture's features as stored.
    """

    identity: Mapping[str, object]
    label: str
    row: tuple[int, ...]


class FeatureProvider:
    """Gives features of any view of one set of pictures through one prefix.

    Args:
        positions: the set, sorted positions in the packed dataset.
        pictures: ``(positions, view) -> uint8 (m, c, crop, crop)``; view None is the
            evaluation view.
        prefix: on ``device``.
        cuts: by depth, of the prefix's own cut and of those it passes.
        augmentation: what features of augmented views depend on besides.
        decision: what is kept in the bank.
        bank: None keeps nothing.
        resident: keeps whole views in the device's memory.
        chunk: pictures per canonical chunk, as :func:`chunk_size` gives it.
    """

    def __init__(
        self,
        *,
        positions: NDArray[np.int64],
        pictures: PictureSource,
        prefix: FrozenPrefix,
        device: torch.device,
        cuts: Mapping[int, Cut],
        augmentation: Mapping[str, object],
        decision: Decision,
        bank: FeatureBank | None,
        resident: ResidentFeatures | None = None,
        chunk: int = CHUNK,
    ) -> None:
        self.positions = positions
        self._pictures = pictures
        self._prefix = prefix
        self._device = device
        self._cuts = cuts
        self._set = entry_key({"positions": positions.tolist()})
        self._augmentation = augmentation
        self._decision = decision
        self._bank = bank
        self._resident = resident
        self._chunk = chunk
        self._fit = MemoryFit(chunk)

    def view(self, view: int | None) -> FeatureSource:
        """Features of view ``view`` of the whole set."""
        if self._resident is None:
            return self._banked(view) or self.streamed(view)
        key = self._entry(self._prefix.depth, view).key
        found, hit = self._resident.get(key), True
        if found is None:
            banked = self._banked(view)
            found, hit = self._whole(banked, view), banked is not None and bool(banked.hit)
            self._resident.put(key, found)
        return DeviceFeatures(view=found, hit=hit)

    def _banked(self, view: int | None) -> BankedFeatures | None:
        kept = self._decision.validation if view is None else self._decision.train
        if self._bank is None or not kept:
            return None
        entry = self._entry(self._prefix.depth, view)
        found = self._bank.get(entry, lambda: self._chunks(view))
        if found is None:
            return None
        mapped, hit = found
        return BankedFeatures(mapped=mapped, dtype=entry.dtype, device=self._device, hit=hit)

    def streamed(self, view: int | None) -> StreamedFeatures:
        """Features of view ``view``, computed on demand; nothing is kept."""

        def compute(places: NDArray[np.int64]) -> Tensor:
            positions = self.positions[places]
            depth = self._prefix.depth
            return self._run(
                lambda part: self._pictures(positions[part], view), len(places), [depth]
            )[depth]

        return StreamedFeatures(count=len(self.positions), compute=compute)

    def _whole(self, banked: BankedFeatures | None, view: int | None) -> Tensor:
        """A view in the device's memory, in the layout of the bank."""
        entry = self._entry(self._prefix.depth, view)
        whole = torch.empty(entry.shape, dtype=entry.dtype, device=self._device)
        if banked is None:
            done = 0
            for rows in self._chunks(view):
                whole[done : done + len(rows)] = rows
                done += len(rows)
        else:
            for part in parts(len(whole), self._chunk):
                whole[part] = as_tensor(np.array(banked.mapped[part]), entry.dtype).to(self._device)
        return whole

    def _entry(self, depth: int, view: int | None) -> Entry:
        cut = self._cuts[depth]
        augmentation = {} if view is None else {"view": view, **self._augmentation}
        parts = {**cut.identity, "positions": self._set, "dtype": str(self._prefix.dtype)}
        return Entry(
            key=entry_key({**parts, **augmentation}),
            shape=(len(self.positions), *cut.row),
            dtype=self._prefix.dtype,
            label=cut.label,
        )

    def _chunks(self, view: int | None) -> Iterator[Tensor]:
        """Rows of a view in canonical chunks; what the decision names is kept on the way."""
        depth = self._prefix.depth
        start, base = self._base(view)
        kept = self._decision.validation if view is None else self._decision.train
        with ExitStack() as stack:
            byproducts = {
                other: stack.enter_context(bank.byproduct(self._entry(other, view)))
                for bank in filter(None, [self._bank])
                for other in self._decision.byproducts
                if kept and (start is None or other < start)
            }
            for begin in range(0, len(self.positions), self._chunk):
                place = slice(begin, min(begin + self._chunk, len(self.positions)))
                load = self._loader(place, view, base)
                made = self._run(load, place.stop - begin, [depth, *byproducts], start)
                for other, add in byproducts.items():
                    add(stored_layout(made[other]))
                yield stored_layout(made[depth])

    def _base(self, view: int | None) -> tuple[int | None, NDArray[np.generic] | None]:
        """The nearest deeper cut of which this view is in the bank: nothing below is computed."""
        for depth in sorted(self._cuts):
            if self._bank is not None and depth > self._prefix.depth:
                found = self._bank.find(self._entry(depth, view))
                if found is not None:
                    return depth, found
        return None, None

    def _loader(
        self, place: slice, view: int | None, base: NDArray[np.generic] | None
    ) -> Callable[[slice], Tensor]:
        if base is None:
            positions = self.positions[place]
            return lambda part: self._pictures(positions[part], view)
        rows = as_tensor(np.array(base[place]), self._prefix.dtype)
        return lambda part: from_stored(rows[part])

    def _run(
        self,
        load: Callable[[slice], Tensor],
        count: int,
        depths: Collection[int],
        start: int | None = None,
    ) -> dict[int, Tensor]:
        """Features of ``count`` pictures, in fewer at once if memory runs out."""
        done: list[dict[int, Tensor]] = []

        def work(limit: int) -> None:
            done.clear()
            for part in parts(count, limit):
                done.append(self._prefix.run(load(part).to(self._device), depths, start))

        self._fit.run(work)
        if len(done) == 1:
            return done[0]
        return {depth: torch.cat([one[depth] for one in done]) for depth in depths}
