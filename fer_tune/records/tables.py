"""The tables of a results folder: their columns, with units, and the keys of their rows."""

from __future__ import annotations

from typing import Literal

import pyarrow as pa

SCHEMA_VERSION = 1

TableName = Literal["trials", "epochs", "confusion", "predictions", "thumbnails"]

#: States of trials that may be chosen for confirmation.
ELIGIBLE = ("complete", "overfit")
#: Columns of ``trials`` that hold the configuration (see ``fer_tune.space.TrialConfig``).
CONFIG_COLUMNS = (
    pa.field("backbone", pa.string()),
    pa.field("unfreeze_depth", pa.int32()),
    pa.field("crop_size", pa.int32()),
    pa.field("augment_policy", pa.string()),
    pa.field("optimizer", pa.string()),
    pa.field("lr_head", pa.float64()),
    pa.field("lr_backbone", pa.float64()),
    pa.field("weight_decay", pa.float64()),
    pa.field("momentum", pa.float64()),
    pa.field("schedule", pa.string()),
    pa.field("warmup_epochs", pa.float64()),
    pa.field("label_smoothing", pa.float64()),
    pa.field("class_weights", pa.string()),
    pa.field("dropout", pa.float64()),
    pa.field("batch_size", pa.int32()),
    pa.field("label_noise", pa.float64()),
)

_WHO = (
    pa.field("trial", pa.int32()),  # own number, unique in the search, in order of asking
    pa.field("arm", pa.string()),
    pa.field("replicate", pa.int32()),  # 0 .. R-1
    pa.field("cohort", pa.string()),
)

SCHEMAS: dict[str, pa.Schema] = {
    "trials": pa.schema(
        [
            *_WHO,
            pa.field("seed", pa.int64()),  # of this run: head, shuffle, dropout (views in confirm)
            *CONFIG_COLUMNS,
            pa.field("state", pa.string()),
            pa.field("stop_reason", pa.string()),
            pa.field("audit_epoch", pa.int32()),  # ASHA would have stopped it there; else null
            pa.field("epochs", pa.int32()),  # epochs run
            pa.field("replayed_epochs", pa.int32()),  # trained again, after restarts
            pa.field("max_epochs", pa.int32()),
            pa.field("best_epoch", pa.int32()),  # epochs count from 1; null: none was finite
            pa.field("best_val_macro_f1", pa.float64()),
            pa.field("best_val_accuracy", pa.float64()),
            pa.field("best_val_loss", pa.float64()),
            pa.field("last_val_macro_f1", pa.float64()),
            pa.field("last_val_loss", pa.float64()),
            pa.field("last_train_loss", pa.float64()),
            pa.field("onset_epoch", pa.int32()),  # null: did not overfit
            pa.field("generalisation_gap", pa.float64()),  # val loss - train loss, best epoch
            pa.field("test_macro_f1", pa.float64()),  # confirmation runs only
            pa.field("test_accuracy", pa.float64()),
            pa.field("test_clean_macro_f1", pa.float64()),
            pa.field("test_clean_accuracy", pa.float64()),
            pa.field("started", pa.float64()),  # seconds since the epoch
            pa.field("setup_seconds", pa.float64()),  # from being given to its first training step
            pa.field("seconds", pa.float64()),  # wall time of the trial's own work
            pa.field("accelerator_seconds", pa.float64()),  # seconds x share of an accelerator
            pa.field("cpu_seconds", pa.float64()),  # seconds x CPUs held
            pa.field("peak_memory_mib", pa.float64()),  # the most of all its epochs
            pa.field("peak_reserved_mib", pa.float64()),  # likewise; see `epochs`
            pa.field("micro_batch", pa.int32()),  # the least of all its epochs
            pa.field("node", pa.string()),
        ]
    ),
    "epochs": pa.schema(
        [
            *_WHO,
            pa.field("epoch", pa.int32()),  # from 1
            pa.field("train_loss", pa.float64()),
            pa.field("train_accuracy", pa.float64()),
            pa.field("train_macro_f1", pa.float64()),
            pa.field("val_loss", pa.float64()),
            pa.field("val_accuracy", pa.float64()),
            pa.field("val_macro_f1", pa.float64()),
            pa.field("lr_head", pa.float64()),
            pa.field("lr_backbone", pa.float64()),
            pa.field("seconds", pa.float64()),
            pa.field("images_per_s", pa.float64()),
            pa.field("bank_hits", pa.int32()),  # feature files of this epoch found ready
            pa.field("bank_misses", pa.int32()),
            pa.field("peak_memory_mib", pa.float64()),  # of this epoch alone
            # Held by the accelerator's allocator, tensors or not; null on the CPU.
            pa.field("peak_reserved_mib", pa.float64()),
            # Pictures of a batch trained at once; below batch_size after memory ran out.
            pa.field("micro_batch", pa.int32()),
        ]
    ),
    "confusion": pa.schema(
        [
            *_WHO,
            pa.field("split", pa.string()),  # "validation" or, in confirmation, "test"
            pa.field("subset", pa.string()),  # "all" or "clean" (no leaked, no conflicting picture)
            pa.field("epoch", pa.int32()),  # the best epoch, at which it was counted
            pa.field("true_class", pa.string()),
            pa.field("predicted_class", pa.string()),
            pa.field("count", pa.int64()),
        ]
    ),
    "predictions": pa.schema(
        [
            *_WHO,
            pa.field("seed", pa.int64()),
            pa.field("split", pa.string()),
            pa.field("picture", pa.string()),  # content hash
            pa.field("position", pa.int64()),  # row of the packed dataset
            pa.field("true_class", pa.string()),
            pa.field("predicted_class", pa.string()),
            pa.field("probabilities", pa.list_(pa.float32())),  # in the manifest's class order
            pa.field("leaked", pa.bool_()),  # a copy is in the source's training or validation
            pa.field("conflicting", pa.bool_()),  # a copy has another label
            pa.field("blank", pa.bool_()),
        ]
    ),
    "thumbnails": pa.schema([pa.field("picture", pa.string()), pa.field("png", pa.binary())]),
}

#: Rows with the same key are one row; the last part wins.
KEYS: dict[str, list[str]] = {
    "trials": ["trial"],
    "epochs": ["trial", "epoch"],
    "confusion": ["trial", "split", "subset", "true_class", "predicted_class"],
    "predictions": ["trial", "split", "position"],
    "thumbnails": ["picture"],
}
