"""A small model trained on drawn faces and kept, without Ray."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_tune.data import PackedDataset
from fer_tune.models.card import Card
from fer_tune.models.card_file import WEIGHTS, write_card
from fer_tune.models.kept import write_weights
from fer_tune.scores import accuracy, confusion, macro_f1
from fer_tune.space import TrialConfig
from fer_tune.training.context import TrialContext
from fer_tune.training.temperature import fit_temperature
from fer_tune.training.trial import RunSeeds, TrialRun

CROP, RATIO, SHARE = 32, 1.14, 0.25


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A kept model and the run that trained it.

    Attributes:
        folder: of the model.
    """

    folder: Path
    run: TrialRun
    card: Card

    @cached_property
    def test_logits(self) -> NDArray[np.float32]:
        """As the search scores them (n_test, classes)."""
        return self.run.test_logits().numpy()


def train_and_keep(dataset: PackedDataset, folder: Path, *, ratio: float = RATIO) -> Trained:
    """Trains a resnet18 for one epoch and keeps it in ``folder``."""
    context = TrialContext(
        dataset=str(dataset.root),
        fingerprint=dataset.fingerprint,
        validation_share=SHARE,
        split_seed=0,
        leaks="drop",
        conflicts="drop",
        weights="none",
        weights_seed=0,
        view_seed=0,
        views=2,
        resize_ratio=ratio,
        precision="float32",
        max_epochs=1,
        metric="macro_f1",
        patience=None,
        window=3,
        bank=None,
        bank_bytes=None,
        threads=1,
        device="cpu",
    )
    config = TrialConfig(backbone="resnet18", crop_size=CROP, batch_size=16, lr_head=3e-3)
    run = TrialRun(context, config, RunSeeds(run=1, weights=0, views=0), keep_best=True)
    run.prepare()
    while run.curve.stop_reason() is None:
        run.run_epoch()
    folder.mkdir(parents=True)
    card = Card.model_validate(_content(run, write_weights(run.whole_state(), folder / WEIGHTS)))
    write_card(card, folder)
    return Trained(folder=folder, run=run, card=card)


def _content(run: TrialRun, sha256: str) -> dict[str, Any]:
    dataset, split = run.dataset, run.split
    validation = run.validation_logits().numpy()
    return {
        "schema_version": 1,
        "sha256": sha256,
        "arm": "resnet18",
        "backbone": "resnet18",
        "unfreeze_depth": run.config.unfreeze_depth,
        "precision": "float32",
        "classes": list(dataset.classes),
        "preprocessing": {
            "max_side": 256,
            "channels": dataset.channels,
            "resize_ratio": run.context.resize_ratio,
            "crop_size": CROP,
        },
        "temperature": fit_temperature(validation, dataset.labels[split.validation]),
        "weights": {"recipe": "none"},
        "dataset": {
            "fingerprint": dataset.fingerprint,
            "splits": {
                "validation_share": SHARE,
                "split_seed": 0,
                "leaks": "drop",
                "conflicts": "drop",
            },
        },
        "scores": {"validation_loss": 1.0, **_validation(run, validation), **_test(run)},
        "run": 7,
        "replicate": 0,
        "seed": 1,
        "epoch": 1,
        "config": {},
        "versions": {},
        "created": time.time(),
    }


def _validation(run: TrialRun, logits: NDArray[np.float32]) -> dict[str, float]:
    return _scores(run.dataset.labels[run.split.validation], logits, "validation")


def _test(run: TrialRun) -> dict[str, float]:
    logits, split = run.test_logits().numpy(), run.split
    clean = ~(split.leaked | split.conflicting)[split.test]
    labels = run.dataset.labels[split.test]
    return {
        **_scores(labels, logits, "test"),
        **_scores(labels[clean], logits[clean], "test_clean"),
    }


def _scores(labels: NDArray[np.int64], logits: NDArray[np.float32], name: str) -> dict[str, float]:
    counts = confusion(labels, logits.argmax(axis=1), logits.shape[1])
    return {
        f"{name}_macro_f1": float(macro_f1(counts)),
        f"{name}_accuracy": float(accuracy(counts)),
    }
