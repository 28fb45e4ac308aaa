"""Records that accompany the confirmation runs: floors, thumbnails, latency."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from fer_tune import scores
from fer_tune.data import PackedDataset, Split
from fer_tune.data.audit import AUDIT_VERSION
from fer_tune.records import Results
from fer_tune.schema.manifest import Latency
from fer_tune.space import SearchSpace
from fer_tune.storage import write_atomically
from fer_tune.tuning.log.record_rows import confusion_rows, prediction_rows
from fer_tune.tuning.log.run_history import RunHistory
from fer_tune.tuning.settings import splits_of

if TYPE_CHECKING:
    from fer_tune.training.floors import Floor

#: Trial numbers of the floors in the predictions; no trial has a negative one.
FLOOR_TRIALS = {"majority": -1, "logistic_regression": -2}


def write_floors(
    space: SearchSpace,
    dataset: PackedDataset,
    results: Results,
    audit_version: int = AUDIT_VERSION,
) -> None:
    """Writes the floors' test predictions and the thumbnails of the test pictures.

    Args:
        audit_version: that the search began with.
    """
    # scikit-learn takes seconds to import, and is needed only at the end.
    from fer_tune.training.floors import fit_floors

    split = splits_of(space, dataset, audit_version)
    for floor in fit_floors(dataset, split, seed=space.seeds.search):
        _write_floor(floor, dataset, split, results)
    results.append(
        "thumbnails",
        [{"picture": str(dataset.hashes[p]), "png": dataset.thumbnail(int(p))} for p in split.test],
        part="test",
    )


def _write_floor(floor: Floor, dataset: PackedDataset, split: Split, results: Results) -> None:
    id_columns = {
        "trial": FLOOR_TRIALS[floor.name],
        "arm": floor.name,
        "replicate": 0,
        "cohort": "floor",
    }
    part = f"floor-{floor.name}"
    rows = prediction_rows(id_columns, 0, dataset, split, floor.probabilities)
    results.append("predictions", rows, part=part)
    truth, predicted = dataset.labels[split.test], floor.probabilities.argmax(axis=1)
    counts = scores.confusion(truth, predicted, len(dataset.classes))
    cells = confusion_rows(id_columns, "test", "all", 0, counts, dataset.classes)
    results.append("confusion", cells, part=part)


def write_latency(results: Results, runs: Iterable[RunHistory]) -> None:
    """Writes ``latency.json``: per arm, latency of the scored confirmation runs, and medians."""
    by_arm: dict[str, list[dict[str, Any]]] = {}
    for run in sorted(runs, key=lambda run: run.assignment.number):
        if "latency" in run.last:
            by_arm.setdefault(run.assignment.arm, []).append(run.last["latency"])
    summary = {
        arm: {
            **{
                key: float(np.median([figures[key] for figures in found]))
                for key in Latency.model_fields
            },
            "runs": found,
        }
        for arm, found in sorted(by_arm.items())
    }
    write_atomically(results.root / "latency.json", json.dumps(summary, indent=2) + "\n")
