"""What stands beside the confirmation runs: the floors, thumbnails, latency."""

from __future__ import annotations

import json

import numpy as np

from fer_tune import scores
from fer_tune.data import PackedDataset, Split
from fer_tune.records import Results, write_atomically
from fer_tune.space import SearchSpace
from fer_tune.training.floors import Floor, fit_floors
from fer_tune.tuning.confirmation import confusion_rows, prediction_rows
from fer_tune.tuning.preparation import splits_of

#: Trial numbers of the floors in the predictions; no trial has a negative one.
FLOOR_TRIALS = {"majority": -1, "logistic_regression": -2}

Latencies = dict[str, list[dict[str, float]]]


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


def write_latency(results: Results, latencies: Latencies) -> None:
    """Per arm, every confirmation run's figures (earlier ones kept) and the median over them."""
    path = results.root / "latency.json"
    earlier = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    summary = {}
    for arm in sorted({*earlier, *latencies}):
        runs = earlier.get(arm, {}).get("runs", []) + latencies.get(arm, [])
        medians = {key: float(np.median([run[key] for run in runs])) for key in runs[0]}
        summary[arm] = {**medians, "runs": runs}
    write_atomically(path, json.dumps(summary, indent=2) + "\n")
