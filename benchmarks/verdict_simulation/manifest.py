"""Level 2: the manifest of a simulated search; keys as in ``docs/architecture/records.md``."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import Any

import numpy as np

from benchmarks.verdict_simulation.pictures import CLASSES
from benchmarks.verdict_simulation.world import World
from fer_tune.space import SearchSpace

#: Seconds since the Unix epoch at which every simulated search begins.
BEGAN = 1_760_000_000.0
EPOCH_SECONDS = 4.0
_LIBRARIES = ("fer-tune", "optuna", "ray", "numpy")
_SPLITS = {"train": 3400, "validation": 600}


def manifest(
    space: SearchSpace, world: World, choices: list[dict[str, Any]], *, epochs: int
) -> dict[str, Any]:
    """The manifest of a search that has finished after ``epochs`` epochs of trials."""
    test = world.test
    clean = int((~(test.leaked | test.conflicting)).sum())
    counts = np.bincount(test.truth, minlength=len(CLASSES))
    frozen = BEGAN + EPOCH_SECONDS * epochs
    runs = sum(len(choice["runs"]) for choice in choices)
    ended = frozen + EPOCH_SECONDS * space.budget.max_epochs * runs
    return {
        "state": "finished",
        "name": space.name,
        "command": ["python", "-m", "benchmarks.verdict_simulation"],
        "started": BEGAN,
        "ended": ended,
        "wall_seconds": ended - BEGAN,
        "startup_seconds": 1.0,
        "space": space.as_dict(),
        "dataset": {"path": "made up", "fingerprint": f"{world.seed:064x}", "audit": _audit(world)},
        "classes": list(CLASSES),
        "splits": {
            **_SPLITS,
            "test": int(test.truth.size),
            "test_clean": clean,
            "dropped": {"leaked": int(test.leaked.sum()), "conflicting": 0},
            **{f"{part}_counts": _counts(counts, of) for part, of in _SPLITS.items()},
            "test_counts": _counts(counts, int(counts.sum())),
        },
        "arms": {
            arm: {
                "value": value,
                "backbone": value,
                "weights": space.weights,
                "weights_sha256": None,
                "parameters": 60_192_808,
            }
            for arm, value in space.compare.arms.items()
        },
        "versions": {
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in _LIBRARIES},
        },
        "hardware": {"machine": platform.machine(), "system": "simulated", "cpus": 1, "gpus": []},
        "seeds": space.seeds.model_dump(),
        "choices": choices,
        "superseded": [],
        "choice_frozen_at": frozen,
        "first_test_read_at": frozen + 1.0,
        "confirm_asked": space.confirm.seeds,
        "confirm_seeds": list(range(space.confirm.seeds)),
        "sittings": 1,
    }


def _counts(test: Any, of: int) -> dict[str, int]:
    """About ``of`` pictures by class, in the proportions of the test split."""
    shares = np.rint(test / test.sum() * of).astype(int)
    return dict(zip(CLASSES, shares.tolist(), strict=True))


def _audit(world: World) -> dict[str, Any]:
    test = world.test
    counts = np.bincount(test.truth, minlength=len(CLASSES))
    sizes = {"train": sum(_SPLITS.values()), "validation": 0, "test": int(test.truth.size)}
    by_class = {part: _counts(counts, size) for part, size in sizes.items()}
    leaked, conflicting = int(test.leaked.sum()), int(test.conflicting.sum())
    return {
        "fingerprint": f"{world.seed:064x}",
        "pictures": sum(sizes.values()),
        "channels": 1,
        "classes": list(CLASSES),
        "counts": by_class,
        "imbalance": float(counts.max() / counts.min()),
        "copy_groups": leaked + conflicting,
        "copy_pictures": 2 * (leaked + conflicting),
        "groups_across_splits": leaked,
        "test_in_training": leaked,
        "test_in_validation": 0,
        "conflicting_groups": conflicting,
        "conflicting_pictures": 2 * conflicting,
        "blank_contents": 0,
        "blank_pictures": 0,
        "smallest": [48, 48],
        "largest": [48, 48],
    }
