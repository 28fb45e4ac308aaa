"""The features that a run trains on and is scored on, and what of them the bank keeps."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from fer_tune.data import Split
from fer_tune.features.bank import FeatureBank
from fer_tune.features.decision import CutSize, Decision, Reads, decide
from fer_tune.features.entries import Entry
from fer_tune.features.folder import label
from fer_tune.features.prefix import FrozenPrefix
from fer_tune.features.resident import resident_features
from fer_tune.features.source import (
    Cut,
    FeatureProvider,
    FeatureSource,
    PictureSource,
    chunk_size,
)
from fer_tune.models.network import CutNetwork
from fer_tune.models.registry import STAGES
from fer_tune.models.torchvision_import import __version__ as torchvision_version
from fer_tune.space import TrialConfig
from fer_tune.training.context import TrialContext
from fer_tune.training.device.compute import Compute

logger = logging.getLogger(__name__)

#: Increase it with every change to views, calibration, initial weights or stages, and to the
#: arithmetic of a prefix: such a change makes old bank entries invalid.
FEATURES_VERSION = 2
_UNTOUCHED = len(STAGES)  # the unfreeze depth whose tail begins at the pictures


def frozen_prefix(network: CutNetwork, compute: Compute) -> FrozenPrefix:
    """The prefix of a network with its cut and all that it passes."""
    depth = network.depth
    cuts = {other: 1 + len(STAGES) - other for other in range(max(depth, 1), _UNTOUCHED)}
    return FrozenPrefix(
        modules=network.prefix,
        depth=depth,
        cuts={**cuts, depth: len(network.prefix)},
        dtype=torch.uint8 if depth == _UNTOUCHED else compute.dtype,
    )


@dataclass(frozen=True, kw_only=True)
class RunFeatures:
    """The features of one run, by split.

    Attributes:
        pictures: uint8 pictures of a view.
        weights_id: names the content of the backbone's frozen tensors.
        view_seed: of the run's views.
    """

    context: TrialContext
    config: TrialConfig
    compute: Compute
    prefix: FrozenPrefix
    pictures: PictureSource
    split: Split
    weights_id: str
    view_seed: int

    @cached_property
    def train(self) -> FeatureProvider:
        return self._provider(positions=self.split.train)

    @cached_property
    def validation(self) -> FeatureProvider:
        return self._provider(positions=self.split.validation)

    def test(self) -> FeatureSource:
        """Test features, kept if there is room beside what training reads."""
        return self._evaluated(self.split.test)

    def train_as_evaluated(self) -> FeatureSource:
        """Training pictures in the evaluation view, which no run reads; kept like :meth:`test`."""
        return self._evaluated(self.split.train)

    def _evaluated(self, positions: NDArray[np.int64]) -> FeatureSource:
        size = self._entry_bytes(self.prefix.depth, len(positions))
        kept = self.decision.validation and self.decision.size + size <= self._room
        decision = replace(self.decision, validation=kept, byproducts=())
        return self._provider(positions=positions, decision=decision).view(None)

    @cached_property
    def decision(self) -> Decision:
        """What the bank keeps, decided from the search alone; logged once per process."""
        config = self.config
        decision = decide(
            config.unfreeze_depth,
            self._sizes[1],
            self.context.depths_of(config.backbone),
            self._reads,
            room=self._room,
            crop_size=config.crop_size,
            device=self.compute.device.type,
            entry_bytes=self._entry_bytes,
        )
        _log_once(config.backbone, config.crop_size, config.unfreeze_depth, decision)
        return decision

    @property
    def _reads(self) -> Reads:
        """All trials of a search share their views; a confirmation run has its own."""
        context = self.context
        views = context.max_epochs if context.views == "fresh" else context.views
        shared = self.view_seed == context.view_seed
        return Reads(
            views=min(views, context.max_epochs),
            again=shared or views < context.max_epochs,
            train=len(self.split.train),
            validation=len(self.split.validation),
        )

    @cached_property
    def _bank(self) -> FeatureBank | None:
        folder = self.context.bank
        return FeatureBank(Path(folder), self.context.bank_bytes) if folder else None

    @property
    def _room(self) -> int:
        bound = None if self._bank is None else self._bank.max_bytes
        return (bound or 0) // self.context.bank_slots

    @cached_property
    def _sizes(self) -> tuple[Mapping[int, tuple[int, ...]], Mapping[int, CutSize]]:
        config = self.config
        sample = self.pictures(self.split.train[:2], None).to(self.compute.device)
        key = (config.backbone, self.prefix.depth, tuple(sample.shape), self.compute)
        if key not in _known_sizes:
            _known_sizes[key] = self.prefix.sizes(sample)
        return _known_sizes[key]

    def _entry_bytes(self, depth: int, rows: int) -> int:
        shape = (rows, *self._sizes[0][depth])
        return Entry(key="0" * 40, shape=shape, dtype=self.prefix.dtype).size

    def _cut(self, depth: int) -> Cut:
        config, context = self.config, self.context
        untouched = depth == _UNTOUCHED
        name = None if untouched else config.backbone
        return Cut(
            identity={
                "version": FEATURES_VERSION,
                "dataset": context.fingerprint,
                "weights": None if untouched else self.weights_id,
                "backbone": name,
                "depth": depth,
                "crop": config.crop_size,
                "resize_ratio": context.resize_ratio,
                "torch": torch.__version__,
                "torchvision": torchvision_version,
                "threads": context.threads,
                "device": self.compute.device.type,
            },
            label=label(name, config.crop_size, depth),
            row=self._sizes[0][depth],
        )

    @property
    def _provider(self) -> partial[FeatureProvider]:
        config, device = self.config, self.compute.device
        resident = resident_features(device)
        reads = self._reads
        cycle = self._entry_bytes(self.prefix.depth, reads.validation)
        cycle += reads.views * self._entry_bytes(self.prefix.depth, reads.train)
        return partial(
            FeatureProvider,
            pictures=self.pictures,
            prefix=self.prefix,
            device=device,
            cuts={depth: self._cut(depth) for depth in self.prefix.cuts},
            augmentation={"policy": config.augment_policy, "view_seed": self.view_seed},
            decision=self.decision,
            bank=self._bank,
            resident=resident if resident and cycle <= resident.limit else None,
            chunk=chunk_size(device, config.crop_size),
        )


_known_sizes: dict[
    tuple[object, ...], tuple[Mapping[int, tuple[int, ...]], Mapping[int, CutSize]]
] = {}


@lru_cache(maxsize=1024)
def _log_once(backbone: str, crop_size: int, depth: int, decision: Decision) -> None:
    others = ", ".join(map(str, decision.byproducts))
    logger.info(
        "bank: %s at %d px, depth %d: %s, %.1f MiB%s",
        backbone,
        crop_size,
        depth,
        decision.reason,
        decision.size / 2**20,
        f", with depths {others}" if others else "",
    )
