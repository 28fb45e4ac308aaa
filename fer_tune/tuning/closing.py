"""What stands beside the confirmation runs: the floors, thumbnails, latency."""

from __future__ import annotations

import json
from collections.abc import Iterable

import numpy as np

from fer_tune import scores
from fer_tune.data import PackedDataset, Split
from fer_tune.records import Results
from fer_tune.space import SearchSpace
from fer_tune.storage import write_atomically
from fer_tune.training.floors import Floor, fit_floors
from fer_tune.tuning.confirmation import confusion_rows, prediction_rows
from fer_tune.tuning.preparation import splits_of
from fer_tune.tuning.run_history import RunHistory

#: Trial numbers of the floors in the predictions; no trial has a negative one.
FLOOR_TRIALS = {"majority": -1, "logistic_regression": -2}


def write_floors(space: SearchSpace, dataset: PackedDataset, results: Results) -> None:
    """Writes the floors' test predictions and the thumbnails of the test pictures."""
    split = splits_of(space, dataset)
    for floor in fit_floors(dataset, split, seed=space.seeds.search):
        _write_floor(floor, dataset, split, results)
    results.append(
        "thumbnails",
        [{"picture": str(dataset.hashes[p]), "png": dataset.thumbnail(int(p))} for p in split.test],
        part="test",
    )


def _write_floor(floor: Floor, dataset: PackedDataset, split: Split, results: Results) -> None:
    who = {
        "trial": FLOOR_TRIALS[floor.name],
        "arm": floor.name,
        "replicate": 0,
        "cohort": "floor",
    }
    part = f"floor-{floor.name}"
    rows = prediction_rows(who, 0, dataset, split, floor.probabilities)
    results.append("predictions", rows, part=part)
    truth, predicted = dataset.labels[split.test], floor.probabilities.argmax(axis=1)
    counts = scores.confusion(truth, predicted, len(dataset.classes))
    cells = confusion_rows(who, "test", "all", 0, counts, dataset.classes)
    results.append("confusion", cells, part=part)


def write_latency(results: Results, runs: Iterable[RunHistory]) -> None:
    """Per arm, the figures of every confirmation run that was scored, and their medians."""
    by_arm: dict[str, list[dict[str, float]]] = {}
    for run in sorted(runs, key=lambda run: run.assignment.number):
        if "latency" in run.last:
            by_arm.setdefault(run.assignment.arm, []).append(run.last["latency"])
    summary = {
        arm: {
            **{key: float(np.median([figures[key] for figures in found])) for key in found[0]},
            "runs": found,
        }
        for arm, found in sorted(by_arm.items())
    }
    write_atomically(results.root / "latency.json", json.dumps(summary, indent=2) + "\n")
