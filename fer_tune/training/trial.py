"""One trial: built from a configuration, trained epoch by epoch, saved and restored."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fer_tune.data import view_pictures, with_label_noise
from fer_tune.features.source import FeatureSource, chunk_size
from fer_tune.models.network import build
from fer_tune.models.registry import STAGES, backbone
from fer_tune.models.whole import whole_state
from fer_tune.scores import Counts
from fer_tune.space import TrialConfig
from fer_tune.training.checkpoint_file import CHECKPOINT_FILE, copied, write_state
from fer_tune.training.context import TrialContext
from fer_tune.training.device.compute import Compute
from fer_tune.training.inputs import data_of, frozen_stages, initial_state
from fer_tune.training.learning_curve import EpochReport
from fer_tune.training.optimisation.epoch import Outcome, Schedule, assess, predict, train_epoch
from fer_tune.training.optimisation.graphs import CudaRecorder, GraphedSteps
from fer_tune.training.optimisation.objective import make_objective
from fer_tune.training.optimisation.optimiser import learning_rate, make_optimiser, portable_state
from fer_tune.training.optimisation.steps import EagerSteps, Steps
from fer_tune.training.prefix_features import RunFeatures, frozen_prefix
from fer_tune.training.run_memory import RunMemory


@dataclass(frozen=True, kw_only=True)
class RunSeeds:
    """Seeds of a run's random numbers.

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
            and test use true labels only.

    Args:
        keep_best: keep the tail of the best epoch, for scoring later (confirmation).
        stop_early: end at an overfit onset; a confirmation run continues to the budget.
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
        self.compute = Compute.choose(context.precision, context.device, context.gpu)
        self.dataset, self.split = data_of(context)
        self.classes = len(self.dataset.classes)
        self.train_labels = with_label_noise(
            self.dataset.labels[self.split.train],
            self.split.train,
            share=config.label_noise,
            classes=self.classes,
            seed=seeds.views,
        )
        self.curve = context.learning_curve(classes=self.classes, stop_early=stop_early)
        self.best_counts: Counts = np.zeros((self.classes, self.classes), dtype=np.int64)
        self._best_tail: dict[str, Tensor] | None = None
        self._chunk = chunk_size(self.compute.device, config.crop_size)
        self._memory = RunMemory(
            self.curve, self.compute, batch_size=config.batch_size, chunk=self._chunk
        )

    @property
    def is_built(self) -> bool:
        """Whether there is a network; not before :meth:`prepare`, nor without memory for it."""
        return hasattr(self, "features")

    def prepare(self) -> None:
        """Builds the network; called before the first epoch; later calls do nothing."""
        if not (self.is_built or self.curve.out_of_memory):
            with self._memory.recording():
                self._build()

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
            frozen=None
            if config.unfreeze_depth == len(STAGES)
            else frozen_stages(state, weights_id, config.backbone, compute),
            dtype=compute.dtype,
        )
        self._initial = state
        self.prefix = network.prefix.to(compute.device)
        self.tail = network.tail.to(compute.device)
        self.optimiser = make_optimiser(network, config)
        self._objective = make_objective(
            config,
            self.train_labels,
            self.classes,
            version=self.context.training_version,
            device=compute.device,
        )
        self._memory.fit_batches(
            self.tail, pictures=len(self.split.train), batch_size=config.batch_size
        )
        self.steps = self._make_steps()
        labels = self.dataset.labels[self.split.validation]
        self._validation_labels = torch.from_numpy(labels).to(compute.device)
        self._schedule = Schedule(
            kind=config.schedule,
            max_epochs=self.context.max_epochs,
            warmup_epochs=config.warmup_epochs,
        )
        self.features = RunFeatures(
            context=self.context,
            config=config,
            compute=compute,
            prefix=frozen_prefix(network, compute),
            pictures=self.pictures,
            split=self.split,
            weights_id=weights_id,
            view_seed=self.seeds.views,
        )

    def _make_steps(self) -> Steps:
        eager = EagerSteps(
            self.tail, self.optimiser, self._objective, self.compute, self._memory.training
        )
        if self.context.graphs and self.compute.device.type == "cuda":
            return GraphedSteps(eager, CudaRecorder())
        return eager

    @property
    def micro_batch(self) -> int:
        """Pictures of a batch that are trained at once; fewer after memory ran out in the epoch."""
        return self._memory.training.limit

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
        """Trains and validates once; None when out of memory."""
        self.prepare()
        with self._memory.recording():
            if not self.curve.out_of_memory:
                return self._run_epoch()
        return None

    def _run_epoch(self) -> EpochReport:
        started = time.monotonic()
        self.compute.reset_peak()
        self._memory.begin_epoch()
        epoch = self.curve.epoch + 1
        source = self.features.train.view(self.context.view_of(epoch))
        trained = train_epoch(
            self.tail,
            self.optimiser,
            self.steps,
            source,
            self.train_labels,
            classes=self.classes,
            epoch=epoch,
            seed=self.seeds.run,
            batch_size=self.config.batch_size,
            schedule=self._schedule,
            device=self.compute.device,
        )
        validation = self.features.validation.view(None)
        logits = self._predict(validation)
        validated = assess(logits, self._validation_labels, self.classes)
        self.compute.synchronise()
        seconds = time.monotonic() - started
        hits = [s.hit for s in (source, validation)]
        report = self._report(epoch, trained, validated, seconds, hits)
        self.curve.reports.append(report)
        if self.curve.best_epoch == epoch:
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
            # Classes predicted from NaN logits are meaningless.
            val_accuracy=validated.accuracy if math.isfinite(validated.loss) else math.nan,
            val_macro_f1=validated.macro_f1 if math.isfinite(validated.loss) else math.nan,
            lr_head=learning_rate(self.optimiser, "head"),
            lr_backbone=learning_rate(self.optimiser, "backbone"),
            seconds=seconds,
            images_per_s=len(self.split.train) / seconds,
            bank_hits=hits.count(True),
            bank_misses=hits.count(False),
            peak_memory_mib=self.compute.peak_memory_mib(),
            peak_reserved_mib=self.compute.peak_reserved_mib(),
            micro_batch=self.micro_batch,
        )

    # -- scoring the best epoch -------------------------------------------------------------

    def test_logits(self) -> Tensor:
        """Logits (n_test, classes) on the CPU of the best epoch's tail on the test split.

        Leaves the tail as it was at that epoch, so a run must have ended before it is scored.
        """
        self._use_best_tail()
        return self._predict(self.features.test()).cpu()

    def validation_logits(self) -> Tensor:
        """The same on the validation split; see :meth:`test_logits`."""
        self._use_best_tail()
        return self._predict(self.features.validation.view(None)).cpu()

    def whole_state(self) -> dict[str, Tensor]:
        """Every tensor of the network at its best epoch; see :meth:`test_logits`."""
        self._use_best_tail()
        return whole_state(
            backbone(self.config.backbone), self.prefix, self.tail, initial=self._initial
        )

    def _use_best_tail(self) -> None:
        assert self._best_tail is not None, "the tail of the best epoch was not kept"
        self.tail.load_state_dict(self._best_tail)

    def _predict(self, source: FeatureSource) -> Tensor:
        return predict(
            self.tail, source, compute=self.compute, fit=self._memory.evaluation, chunk=self._chunk
        )

    # -- checkpoint -------------------------------------------------------------------------

    def snapshot(self) -> Callable[[Path], None]:
        """Copies everything that the next epoch depends on (the tail only, never the prefix).

        Returns:
            Saves the copy in a folder, which any thread may do while training goes on; raises
            OSError, from the disk.
        """
        # What is kept of the best epoch is such a copy already.
        kept = self._best_tail if self._is_best() else None
        state = {
            "tail": copied(self.tail.state_dict()) if kept is None else kept,
            "optimiser": copied(portable_state(self.optimiser)),
            "curve": [asdict(report) for report in self.curve.reports],
            "best_counts": torch.from_numpy(self.best_counts),
            # The tail itself when the last epoch is the best so far: a quarter less to write.
            "best_tail": None if self._is_best() else self._best_tail,
        }
        return partial(write_state, state)

    def save(self, folder: Path) -> None:
        """Saves what :meth:`snapshot` copies in ``folder``."""
        self.snapshot()(folder)

    def _is_best(self) -> bool:
        return self.curve.best_epoch == self.curve.epoch

    def restore(self, folder: Path) -> None:
        """Restores what :meth:`snapshot` copied.

        Without memory for it the run ends as ``oom`` with the curve so far. Any other error leaves
        the curve as it was.
        """
        # On the CPU first: the device need not hold the tail and its optimiser twice.
        saved: dict[str, Any] = torch.load(
            folder / CHECKPOINT_FILE, map_location="cpu", weights_only=True
        )
        reports = [EpochReport(**row) for row in saved["curve"]]
        self.prepare()
        with self._memory.recording():
            if not self.curve.out_of_memory:
                self.tail.load_state_dict(saved["tail"])
                self.optimiser.load_state_dict(saved["optimiser"])
                self.steps = self._make_steps()  # the optimiser has other tensors now
        self.curve.reports = reports
        self.best_counts = saved["best_counts"].numpy()
        best = saved["tail"] if self.keep_best and self._is_best() else saved["best_tail"]
        self._best_tail = None if best is None else {n: t.clone() for n, t in best.items()}
