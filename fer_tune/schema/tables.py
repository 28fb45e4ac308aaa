"""What the cells of the records' tables may hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from fer_tune.schema import limits
from fer_tune.schema.faults import Shown, shown
from fer_tune.schema.png import png_fault

#: How a trial can end.
TRIAL_STATES = ("complete", "pruned", "overfit", "diverged", "oom", "failed")
#: Allocation rules of trials that a search space's sampler proposed, after the random ones.
SAMPLED = ("tpe", "qmc", "gp", "cmaes", "cqr")
#: The allocation rules a trial can come from; ``floor`` only in predictions and confusion.
COHORTS = (*SAMPLED, "random", "baseline", "confirm", "floor")

_ARM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class BadCell(ValueError):
    """A cell against the rules; the message names its column."""

    def __init__(self, rule: str, value: Shown | None) -> None:
        super().__init__(rule)
        self.rule, self.value = rule, value


@dataclass(frozen=True)
class Number:
    """A number from ``low`` to ``high``; NaN, or null, where there is none."""

    low: float
    high: float

    def fault(self, cells: pd.Series[Any]) -> tuple[str, Any] | None:
        wrong = cells[(cells < self.low) | (cells > self.high)]
        if wrong.empty:
            return None
        return f"must be from {self.low:.15g} to {self.high:.15g}", wrong.iloc[0]


@dataclass(frozen=True)
class String:
    """A text for which ``right`` holds."""

    rule: str
    right: Callable[[str], object]

    def fault(self, cells: pd.Series[Any]) -> tuple[str, Any] | None:
        wrong = (text for text in cells.dropna().unique() if not self.right(text))
        found = next(wrong, None)
        return None if found is None else (self.rule, found)


@dataclass(frozen=True)
class Picture:
    """A small PNG."""

    def fault(self, cells: pd.Series[Any]) -> tuple[str, Any] | None:
        for content in cells.dropna().unique():
            if (rule := png_fault(content)) is not None:
                return rule, content
        return None


def one_of(*names: str) -> String:
    return String(f"must be one of {', '.join(names)}", set(names).__contains__)


def _is_label(text: str) -> bool:
    return bool(text.strip()) and len(text) <= limits.NAME and not _CONTROL.search(text)


_RUN = Number(-2, limits.RUN_NUMBERS)  # the floors have negative ones
_EPOCH = Number(0, limits.EPOCHS)
_SHARE = Number(0, 1)
_AMOUNT = Number(0, limits.SECONDS)
_DURATION = Number(-limits.SECONDS, limits.SECONDS)  # the clock may have been set back
#: Losses of a trial that diverged may be anything, infinite too.
_ANY = Number(float("-inf"), float("inf"))
_COUNT = Number(0, limits.COUNT)
_LABEL = String(f"must be text of 1 to {limits.NAME} printable characters", _is_label)
_ARM_NAME = String("must be 1 to 64 letters, digits, '.', '_' or '-'", _ARM.fullmatch)

_WHO: Mapping[str, Number | String | Picture] = {
    "trial": _RUN,
    "arm": _ARM_NAME,
    "replicate": Number(0, limits.REPLICATES - 1),
    "cohort": one_of(*COHORTS),
}

#: By table and column. Columns without a rule hold what is neither computed with nor printed.
RULES: Mapping[str, Mapping[str, Number | String | Picture]] = {
    "trials": {
        **_WHO,
        "seed": _COUNT,
        "backbone": _LABEL,
        "unfreeze_depth": Number(0, 5),
        "crop_size": Number(1, limits.PICTURE_SIDE),
        "augment_policy": _LABEL,
        "optimizer": _LABEL,
        "lr_head": _AMOUNT,
        "lr_backbone": _AMOUNT,
        "weight_decay": _AMOUNT,
        "momentum": _AMOUNT,
        "schedule": _LABEL,
        "warmup_epochs": _EPOCH,
        "label_smoothing": _SHARE,
        "class_weights": _LABEL,
        "dropout": _SHARE,
        "batch_size": _COUNT,
        "label_noise": _SHARE,
        "state": one_of(*TRIAL_STATES),
        "stop_reason": _LABEL,
        "audit_epoch": _EPOCH,
        "epochs": _EPOCH,
        "replayed_epochs": _COUNT,
        "max_epochs": _EPOCH,
        "best_epoch": _EPOCH,
        "best_val_macro_f1": _SHARE,
        "best_val_accuracy": _SHARE,
        "best_val_loss": _ANY,
        "last_val_macro_f1": _SHARE,
        "last_val_loss": _ANY,
        "last_train_loss": _ANY,
        "onset_epoch": _EPOCH,
        "generalisation_gap": _ANY,
        "test_macro_f1": _SHARE,
        "test_accuracy": _SHARE,
        "test_clean_macro_f1": _SHARE,
        "test_clean_accuracy": _SHARE,
        "started": _AMOUNT,
        "setup_seconds": _DURATION,
        "seconds": _AMOUNT,
        "accelerator_seconds": _AMOUNT,
        "cpu_seconds": _COUNT,
        "peak_memory_mib": _AMOUNT,
        "peak_reserved_mib": _AMOUNT,
        "micro_batch": _COUNT,
        "node": _LABEL,
    },
    "epochs": {
        **_WHO,
        "epoch": _EPOCH,
        "train_loss": _ANY,
        "train_accuracy": _SHARE,
        "train_macro_f1": _SHARE,
        "val_loss": _ANY,
        "val_accuracy": _SHARE,
        "val_macro_f1": _SHARE,
        "lr_head": _AMOUNT,
        "lr_backbone": _AMOUNT,
        "seconds": _AMOUNT,
        "images_per_s": _AMOUNT,
        "bank_hits": _COUNT,
        "bank_misses": _COUNT,
        "peak_memory_mib": _AMOUNT,
        "peak_reserved_mib": _AMOUNT,
        "micro_batch": _COUNT,
    },
    "confusion": {
        **_WHO,
        "split": one_of("validation", "test"),
        "subset": one_of("all", "clean"),
        "epoch": _EPOCH,
        "true_class": _LABEL,
        "predicted_class": _LABEL,
        "count": _COUNT,
    },
    "predictions": {
        **_WHO,
        "seed": _COUNT,
        "split": one_of("validation", "test"),
        "picture": _LABEL,
        "position": _COUNT,
        "true_class": _LABEL,
        "predicted_class": _LABEL,
    },
    "thumbnails": {"picture": _LABEL, "png": Picture()},
}


def check_cells(frame: pd.DataFrame, table: str, required: Collection[str]) -> None:
    """Checks every cell of a table.

    Args:
        required: columns in which none may be null.

    Raises:
        BadCell: the first one that is against the rules.
    """
    for column in required:
        if frame[column].isna().any():
            raise BadCell(f"column {column}: must not be null", None)
    for column, rule in RULES[table].items():
        if (found := rule.fault(frame[column])) is not None:
            raise BadCell(f"column {column}: {found[0]}", shown(_plain(found[1])))


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
