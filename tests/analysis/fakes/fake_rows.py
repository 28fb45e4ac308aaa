"""Rows of the tables from the curve and the costs of one made-up run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from fake_cost import EpochCosts
from fake_curves import Curve
from fake_plan import CLASSES, Plan
from numpy.typing import NDArray

from fer_tune import curves
from fer_tune.records import SCHEMAS

Row = dict[str, Any]

WHO = ("trial", "arm", "replicate", "cohort")
#: Pictures that one epoch trains on.
TRAINED_ON = 3400
_MEASURED = (
    "train_loss",
    "train_accuracy",
    "train_macro_f1",
    "val_loss",
    "val_accuracy",
    "val_macro_f1",
)


def who(run: Mapping[str, Any]) -> Row:
    return {key: run[key] for key in WHO}


def config_columns(config: Mapping[str, Any]) -> Row:
    known = SCHEMAS["trials"].names
    found = {name: value for name, value in config.items() if name in known}
    return {**found, "micro_batch": config["batch_size"]}


def result_columns(plan: Plan, curve: Curve, memory: float) -> Row:
    """Columns of ``trials`` that follow from a run's epochs; without any epoch all are null."""
    length = curve.val_loss.size
    row: Row = {
        "epochs": length,
        "max_epochs": plan.epochs,
        "peak_memory_mib": memory,
        "peak_reserved_mib": 1.25 * memory,
        "replayed_epochs": 0,
    }
    best = curves.best_epoch(np.where(np.isfinite(curve.val_loss), curve.val_macro_f1, np.nan))
    if best is None:
        return row
    train, val = curve.train_loss, curve.val_loss
    return {
        **row,
        "best_epoch": best,
        **{f"best_{n}": float(getattr(curve, n)[best - 1]) for n in _MEASURED if "val" in n},
        "last_val_macro_f1": float(curve.val_macro_f1[-1]),
        "last_val_loss": float(val[-1]),
        "last_train_loss": float(train[-1]),
        "onset_epoch": curves.overfit_onset(train, val),
        "generalisation_gap": curves.generalisation_gap(train, val, best),
    }


def epoch_rows(
    plan: Plan, run: Mapping[str, Any], config: Mapping[str, Any], curve: Curve, costs: EpochCosts
) -> list[Row]:
    """Rows of ``epochs``; learning rates are those of each epoch's last step."""
    length = curve.val_loss.size
    factors = [_factor(epoch, plan.epochs, config) for epoch in range(1, length + 1)]
    columns: dict[str, list[Any]] = {name: getattr(curve, name).tolist() for name in _MEASURED}
    columns["epoch"] = list(range(1, length + 1))
    columns["lr_head"] = [config["lr_head"] * factor for factor in factors]
    frozen = config["unfreeze_depth"] == 0
    columns["lr_backbone"] = [0.0 if frozen else config["lr_backbone"] * f for f in factors]
    columns["seconds"] = costs.seconds[:length].tolist()
    columns["images_per_s"] = (TRAINED_ON / costs.seconds[:length]).tolist()
    columns["bank_hits"] = costs.bank_hits[:length].tolist()
    columns["bank_misses"] = (2 - costs.bank_hits[:length]).tolist()
    columns["peak_memory_mib"] = [costs.peak_memory_mib] * length
    columns["peak_reserved_mib"] = [1.25 * costs.peak_memory_mib] * length
    columns["micro_batch"] = [config["batch_size"]] * length
    own = who(run)
    names = list(columns)
    return [
        {**own, **dict(zip(names, values, strict=True))}
        for values in zip(*columns.values(), strict=True)
    ]


def _factor(epoch: int, epochs: int, config: Mapping[str, Any]) -> float:
    warm = min(1.0, epoch / config["warmup_epochs"]) if config["warmup_epochs"] else 1.0
    return warm * 0.5 * (1 + math.cos(math.pi * (epoch - 0.5) / epochs))


def confusion_rows(
    run: Mapping[str, Any], split: str, subset: str, epoch: int, counts: NDArray[np.int64]
) -> list[Row]:
    """Rows of ``confusion`` for counts (C, C), rows true, columns predicted."""
    own = {**who(run), "split": split, "subset": subset, "epoch": epoch}
    return [
        {**own, "true_class": true, "predicted_class": predicted, "count": int(counts[i, j])}
        for i, true in enumerate(CLASSES)
        for j, predicted in enumerate(CLASSES)
    ]
