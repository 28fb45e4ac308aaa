"""One whole trial: set up from a configuration, an epoch at a time, saved and restored."""

from __future__ import annotations

import errno
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from numpy.typing import NDArray
from torch import Tensor

from fer_tune.data import noised, view_pictures
from fer_tune.features import (
    CHUNK,
    FeatureBank,
    FeatureProvider,
    FeatureSource,
    MemoryFit,
    OutOfMemory,
    is_out_of_memory,
)
from fer_tune.models import STAGES, backbone, build
from fer_tune.scores import Counts
from fer_tune.space import TrialConfig
from fer_tune.training.compute import Compute
from fer_tune.training.context import TrialContext, data_of, initial_state
from fer_tune.training.course import EpochReport
from fer_tune.training.epoch import (
    Objective,
    Outcome,
    Schedule,
    assess,
    balanced_weights,
    predict,
    train_epoch,
)
from fer_tune.training.optimiser import learning_rate, make_optimiser

CHECKPOINT_FILE = "trial.pt"
#: Raised with every change to views, calibration, drawing or stages: old bank entries would lie.
FEATURES_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class RunSeeds:
    """Where a run's randomness comes from.

    In a search all trials share ``weights`` and ``views`` (common random numbers, and prefix
    features that can be shared); a confirmation run has its own of each.
    """

    run: int  # head, shuffle, dropout
    weights: int
    views: int  # and label noise


class TrialRun:
    """One configuration in training.

    Attributes:
        train_labels: classes of the training pictures as training sees them, int64 (n_train,):
            the true ones, but for ``label_noise``. Training scores are against these; validation
            and test know true labels alone.

    Args:
        keep_best: keep the tail of the best epoch, for scoring later (confirmation).
        stop_early: obey the overfit stopper; confirmation runs to the budget.
    """

    def __init__(
        self,
        context: TrialContext,
        config: TrialConfig,
        seeds: RunSeeds,
        *,
        keep_best: bool = False,
        stop_early: bool = True,
    ) -> None:
        torch.set_num_threads(context.threads)
        self.context, self.config, self.seeds = context, config, seeds
        self.keep_best = keep_best
        self.compute = Compute.choose(context.precision, context.device)
        self.dataset, self.split = data_of(context)
        self.classes = len(self.dataset.classes)
        self.train_labels = noised(
            self.dataset.labels[self.split.train],
            self.split.train,
            share=config.label_noise,
            classes=self.classes,
            seed=seeds.views,
        )
        self.course = context.course(classes=self.classes, stop_early=stop_early)
        self.best_counts: Counts = np.zeros((self.classes, self.classes), dtype=np.int64)
        self._best_tail: dict[str, Tensor] | None = None
        self._fit = MemoryFit(config.batch_size)
        self._evaluation_fit = MemoryFit(CHUNK)

    def prepare(self) -> None:
        """Builds the network; called before the first epoch, and harmless when called again."""
        if not hasattr(self, "tail"):
            with self._noting_lack_of_memory():
                self._build()

    @contextmanager
    def _noting_lack_of_memory(self) -> Iterator[None]:
        """Whatever runs out of memory for good inside ends the run as ``oom``."""
        try:
            yield
        except (OutOfMemory, RuntimeError, MemoryError) as error:
            if not (isinstance(error, OutOfMemory) or is_out_of_memory(error)):
                raise
            self.course.out_of_memory = True

    def _build(self) -> None:
        config, compute = self.config, self.compute
        state, weights_id = initial_state(
            self.context, config.backbone, config.crop_size, self.seeds.weights, compute
        )
        network = build(
            backbone(config.backbone),
            state,
            unfreeze_depth=config.unfreeze_depth,
            classes=self.classes,
            dropout=config.dropout,
            seed=self.seeds.run,
        )
        self.prefix = network.prefix.to(compute.device)
        self.tail = network.tail.to(compute.device)
        self.optimiser = make_optimiser(network, config)
        weights = None
        if config.class_weights == "balanced":
            # Of the labels that training sees: a share of them is wrong, and nobody knows which.
            weights = balanced_weights(self.train_labels, self.classes)
            weights = weights.to(compute.device)
        self._objective = Objective(label_smoothing=config.label_smoothing, class_weights=weights)
        self._schedule = Schedule(
            kind=config.schedule,
            max_epochs=self.context.max_epochs,
            warmup_epochs=config.warmup_epochs,
        )
        untouched = config.unfreeze_depth == len(STAGES)
        bank = self.context.bank
        self._provider = partial(
            FeatureProvider,
            prefix=self.prefix,
            dtype=torch.uint8 if untouched else compute.dtype,
            autocast=compute.autocast(),
            device=compute.device,
            identity={
                "version": FEATURES_VERSION,
                "dataset": self.context.fingerprint,
                "weights": None if untouched else weights_id,
                "backbone": None if untouched else config.backbone,
                "depth": config.unfreeze_depth,
                "crop": config.crop_size,
                "resize_ratio": self.context.resize_ratio,
                "torch": torch.__version__,
                "torchvision": torchvision.__version__,
                "threads": self.context.threads,
                "device": compute.device.type,
            },
            augmentation={"policy": config.augment_policy, "view_seed": self.seeds.views},
            bank=FeatureBank(Path(bank), self.context.bank_bytes) if bank else None,
            pictures=self.pictures,
        )
        self._train = self._provider(positions=self.split.train)
        self._validation = self._provider(positions=self.split.validation)

    @property
    def micro_batch(self) -> int:
        """Pictures of a batch that are trained at once; fewer after memory ran out."""
        return self._fit.limit

    def pictures(self, positions: NDArray[np.int64], view: int | None) -> Tensor:
        return view_pictures(
            self.dataset,
            positions,
            crop_size=self.config.crop_size,
            policy=self.config.augment_policy,
            view=view,
            seed=self.seeds.views,
            resize_ratio=self.context.resize_ratio,
            device=str(self.compute.device),
        )

    # -- one epoch --------------------------------------------------------------------------

    def run_epoch(self) -> EpochReport | None:
        """Trains and validates once; None when memory ran out for good."""
        self.prepare()
        with self._noting_lack_of_memory():
            if not self.course.out_of_memory:
                return self._run_epoch()
        return None

    def _run_epoch(self) -> EpochReport:
        started = time.monotonic()
        self.compute.reset_peak()
        epoch = self.course.epoch + 1
        source = self._train.view(self.context.view_of(epoch))
        trained = train_epoch(
            self.tail,
            self.optimiser,
            self._objective,
            source,
            self.train_labels,
            classes=self.classes,
            epoch=epoch,
            seed=self.seeds.run,
            batch_size=self.config.batch_size,
            schedule=self._schedule,
            compute=self.compute,
            fit=self._fit,
        )
        validation = self._validation.view(None)
        logits = self._predict(validation)
        validated = assess(logits, self.dataset.labels[self.split.validation], self.classes)
        self.compute.synchronise()
        seconds = time.monotonic() - started
        hits = [s.hit for s in (source, validation)]
        report = self._report(epoch, trained, validated, seconds, hits)
        self.course.reports.append(report)
        if self.course.best_epoch == epoch:
            self.best_counts = validated.counts
            if self.keep_best:
                self._best_tail = {n: t.cpu().clone() for n, t in self.tail.state_dict().items()}
        return report

    def _report(
        self,
        epoch: int,
        trained: Outcome,
        validated: Outcome,
        seconds: float,
        hits: list[bool | None],
    ) -> EpochReport:
        return EpochReport(
            epoch=epoch,
            train_loss=trained.loss,
            train_accuracy=trained.accuracy,
            train_macro_f1=trained.macro_f1,
            val_loss=validated.loss,
            # The classes that logits which are no numbers seem to name mean nothing.
            val_accuracy=validated.accuracy if math.isfinite(validated.loss) else math.nan,
            val_macro_f1=validated.macro_f1 if math.isfinite(validated.loss) else math.nan,
            lr_head=learning_rate(self.optimiser, "head"),
            lr_backbone=learning_rate(self.optimiser, "backbone"),
            seconds=seconds,
            images_per_s=len(self.split.train) / seconds,
            bank_hits=hits.count(True),
            bank_misses=hits.count(False),
            peak_memory_mib=self.compute.peak_memory_mib(),
        )

    # -- scoring the best epoch -------------------------------------------------------------

    def test_logits(self) -> Tensor:
        """Logits (n_test, classes) of the best epoch's tail on the test split.

        Leaves the tail as it was at that epoch, so a run must have ended before it is scored.
        """
        assert self._best_tail is not None, "the tail of the best epoch was not kept"
        self.tail.load_state_dict(self._best_tail)
        source = self._provider(positions=self.split.test).view(None)
        return self._predict(source)

    def _predict(self, source: FeatureSource) -> Tensor:
        return predict(
            self.tail, source, compute=self.compute, fit=self._evaluation_fit, chunk=CHUNK
        )

    # -- checkpoint -------------------------------------------------------------------------

    def save(self, folder: Path) -> None:
        """Writes everything that the next epoch depends on (the tail only, never the prefix).

        Raises:
            OSError: the disk refused.
        """
        state = {
            "tail": self.tail.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "curve": [asdict(report) for report in self.course.reports],
            "best_counts": torch.from_numpy(self.best_counts),
            # The tail itself when the last epoch is the best so far: a quarter less to write.
            "best_tail": None if self._is_best() else self._best_tail,
            "micro_batch": self._fit.limit,
        }
        path = folder / CHECKPOINT_FILE
        try:
            torch.save(state, path)
        except RuntimeError as error:
            if "inline_container" not in str(error):
                raise
            # So torch tells of a disk that took less than it was given.
            text = "the disk took a checkpoint in part only, so it is full"
            raise OSError(errno.EIO, text, str(path)) from error

    def _is_best(self) -> bool:
        return self.course.best_epoch == self.course.epoch

    def restore(self, folder: Path) -> None:
        """Goes back to what :meth:`save` wrote."""
        self.prepare()
        if self.course.out_of_memory:
            return
        saved: dict[str, Any] = torch.load(
            folder / CHECKPOINT_FILE, map_location=self.compute.device, weights_only=True
        )
        self.tail.load_state_dict(saved["tail"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.course.reports = [EpochReport(**row) for row in saved["curve"]]
        self.best_counts = saved["best_counts"].cpu().numpy()
        best = saved["tail"] if self.keep_best and self._is_best() else saved["best_tail"]
        self._best_tail = None if best is None else {n: t.cpu().clone() for n, t in best.items()}
        self._fit.limit = int(saved["micro_batch"])
