"""What a run reports after an epoch, by the names of the records' columns."""

from __future__ import annotations

from typing import Any

from fer_tune import curves
from fer_tune.scores import Counts
from fer_tune.training.learning_curve import EpochReport, LearningCurve
from fer_tune.tuning.studies.asha import SCORE


def epoch_columns(report: EpochReport | None, curve: LearningCurve) -> dict[str, Any]:
    """The ``epochs`` row as result keys; after running out of memory, the last epoch.

    Columns that the ``trials`` table also has, for the whole run, get the prefix ``epoch_``.
    """
    if report is None:
        return {
            "epoch": curve.epoch,
            "ran": False,
            "oom_had_share": curve.oom_had_share,
        }
    columns = {name: getattr(report, name) for name in report.__dataclass_fields__}
    for name in ("seconds", "peak_memory_mib", "peak_reserved_mib", "micro_batch"):
        columns[f"epoch_{name}"] = columns.pop(name)
    return {**columns, "ran": True}


def summary(curve: LearningCurve, best_counts: Counts) -> dict[str, Any]:
    """The state of the run so far, by the column names of the ``trials`` table.

    Args:
        best_counts: confusion counts of the best epoch on validation.
    """
    found: dict[str, Any] = {
        SCORE: curve.score,
        "epochs": curve.epoch,
        "max_epochs": curve.max_epochs,
        "onset_epoch": curve.onset,
        "best_epoch": curve.best_epoch,
    }
    if curve.reports:
        last = curve.reports[-1]
        found |= {
            "last_val_macro_f1": last.val_macro_f1,
            "last_val_loss": last.val_loss,
            "last_train_loss": last.train_loss,
            "peak_memory_mib": max(r.peak_memory_mib for r in curve.reports),
            "peak_reserved_mib": max(_known("peak_reserved_mib", curve), default=None),
            "micro_batch": min(_known("micro_batch", curve), default=None),
        }
    if curve.best is not None:
        found |= {
            "best_val_macro_f1": curve.best.val_macro_f1,
            "best_val_accuracy": curve.best.val_accuracy,
            "best_val_loss": curve.best.val_loss,
            "generalisation_gap": curves.generalisation_gap(*curve.losses(), curve.best.epoch),
            "best_counts": best_counts.tolist(),
        }
    return found


def _known(name: str, curve: LearningCurve) -> list[Any]:
    """The values of a column over the epochs; those of earlier versions may lack it."""
    return [value for r in curve.reports if (value := getattr(r, name)) is not None]
