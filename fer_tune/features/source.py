"""What the tail eats: the prefix output of one view of one set of pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fer_tune.features.bank import FeatureBank, as_tensor, entry_key
from fer_tune.features.memory import MemoryFit, parts

#: Pictures per canonical chunk: prefix outputs are computed in these, in order of position,
#: never in batch order, because kernels may round differently for other batch shapes.
CHUNK = 128

PictureSource = Callable[[NDArray[np.int64], int | None], Tensor]


class FeatureSource(Protocol):
    """Rows of features, addressed by their place in the set (0 .. n-1)."""

    hit: bool | None  # found ready in the bank; None when the bank was not asked

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
        features = features.to(self.device, non_blocking=True)
        return features.permute(0, 3, 1, 2) if features.dim() == 4 else features


@dataclass(kw_only=True)
class StreamedFeatures:
    """Features computed on demand, for entries that the bank may not hold.

    In batch order, so they may round differently from banked ones where kernels care for the
    batch's shape.
    """

    count: int
    compute: Callable[[NDArray[np.int64]], Tensor]
    hit: bool | None = None

    def __len__(self) -> int:
        return self.count

    def rows(self, places: NDArray[np.int64]) -> Tensor:
        return self.compute(places)


class FeatureProvider:
    """Gives features of any view of one set of pictures through one prefix.

    Args:
        positions: the set, sorted positions in the packed dataset.
        pictures: ``(positions, view) -> uint8 (m, c, crop, crop)``; view None is the
            evaluation view.
        prefix: frozen, in eval mode, on ``device``.
        dtype: of the features: uint8 when the prefix is the identity.
        identity: what features of every view depend on, for the content address.
        augmentation: what features of augmented views depend on besides.
        bank: None computes everything on demand.
    """

    def __init__(
        self,
        *,
        positions: NDArray[np.int64],
        pictures: PictureSource,
        prefix: nn.Module,
        dtype: torch.dtype,
        autocast: torch.autocast,
        device: torch.device,
        identity: Mapping[str, object],
        augmentation: Mapping[str, object],
        bank: FeatureBank | None,
    ) -> None:
        self.positions = positions
        self._pictures = pictures
        self._prefix = prefix
        self._dtype = dtype
        self._autocast = autocast
        self._device = device
        self._identity = {**identity, "positions": _digest(positions)}
        self._augmentation = augmentation
        self._bank = bank
        self._row_shape: tuple[int, ...] | None = None
        self._fit = MemoryFit(CHUNK)

    def view(self, view: int | None) -> FeatureSource:
        """Features of view ``view`` of the whole set."""
        if self._bank is not None:
            shape = (len(self.positions), *self._shape_of_a_row())
            if self._bank.fits(shape, self._dtype):
                key = self._key(view)
                mapped, hit = self._bank.get(key, shape, self._dtype, lambda: self._chunks(view))
                return BankedFeatures(
                    mapped=mapped, dtype=self._dtype, device=self._device, hit=hit
                )
        return StreamedFeatures(
            count=len(self.positions),
            compute=lambda places: self._compute(self.positions[places], view),
        )

    def _key(self, view: int | None) -> str:
        augmentation = {} if view is None else {"view": view, **self._augmentation}
        return entry_key({**self._identity, "dtype": str(self._dtype), **augmentation})

    def _chunks(self, view: int | None) -> Iterator[Tensor]:
        for start in range(0, len(self.positions), CHUNK):
            features = self._compute(self.positions[start : start + CHUNK], view)
            yield features.permute(0, 2, 3, 1) if features.dim() == 4 else features

    def _compute(self, positions: NDArray[np.int64], view: int | None) -> Tensor:
        done: list[Tensor] = []

        def work(limit: int) -> None:
            done.clear()
            for part in parts(len(positions), limit):
                pictures = self._pictures(positions[part], view).to(self._device)
                with torch.no_grad(), self._autocast:
                    done.append(self._prefix(pictures).to(self._dtype))

        self._fit.run(work)
        return torch.cat(done)

    def _shape_of_a_row(self) -> tuple[int, ...]:
        if self._row_shape is None:
            sample = self._compute(self.positions[:2], None)
            row = sample[0].permute(1, 2, 0) if sample.dim() == 4 else sample[0]
            self._row_shape = tuple(row.shape)
        return self._row_shape


def _digest(positions: NDArray[np.int64]) -> str:
    return entry_key({"positions": positions.tolist()})
