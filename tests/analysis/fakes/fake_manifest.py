"""The manifest of a made-up search, complete as ``docs/architecture/records.md`` lists it."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from fake_answers import Split
from fake_cost import PARAMETERS, START, Machine
from fake_curves import VALIDATION
from fake_plan import CLASSES, Plan
from fake_rows import TRAINED_ON
from numpy.typing import NDArray

from fer_tune.space import SearchSpace

_FINGERPRINT = "5f3a" * 16
#: Pictures per class of the training split.
TRAIN = np.array([480, 480, 880, 600, 552, 408])
assert TRAIN.sum() == TRAINED_ON
_LEAKED, _CONFLICTING = 66, 20


def manifest_of(
    plan: Plan,
    space: SearchSpace,
    split: Split,
    choices: list[dict[str, Any]],
    machine: Machine,
    frozen_at: float,
) -> dict[str, Any]:
    """Every key of the manifest but the schema version.

    Args:
        machine: after everything has run.
        frozen_at: when the last trial had ended; seconds since the Unix epoch.
    """
    frozen = frozen_at + 1.0 if plan.confirmed else None
    finished = plan.state == "finished"
    ended = machine.idle_at + 20.0
    read = None if frozen is None else frozen - 600.0 if plan.peeked else frozen + 5.0
    return {
        "state": plan.state,
        "name": plan.name,
        "command": ["fer-tune", "search", plan.name, "--data", "faces"],
        "started": START,
        "ended": ended if finished else None,
        "wall_seconds": ended - START if finished else None,
        "sittings": 1,
        "training_version": 1,  # its stopper ends trials at their onset
        "audit_version": 1,  # exact copies alone
        "budget_version": 1,
        "test_readings": {
            "fingerprint": "0" * 64,
            "id": f"{plan.seed:032x}",
            "searches": [],
            "evaluations": 0,
            "raised": [],
        },
        "precision": {
            "chosen": "float32",
            "reason": "the processor has no bfloat16",
            "seconds": None,
        },
        "startup_seconds": 11.4,
        "space": space.as_dict(),
        "dataset": {
            "path": "faces",
            "fingerprint": _FINGERPRINT,
            "audit": _audit(plan, split),
        },
        "classes": list(CLASSES),
        "splits": _splits(plan, split),
        "arms": {arm: _arm(plan, space, arm) for arm in plan.arms},
        "versions": {
            "python": "3.11.7",
            "fer-tune": "0.1.0",
            "ray": "2.50.0",
            "torch": "2.9.0",
            "torchvision": "0.24.0",
            "optuna": "4.5.0",
            "numpy": "2.3.3",
            "pandas": "2.3.3",
            "pyarrow": "21.0.0",
            "scikit-learn": "1.7.2",
        },
        "hardware": {
            "machine": "x86_64",
            "system": "Linux",
            "cpus": 8,
            "memory_gib": 62.7,
            "gpus": ["made-up accelerator of 24 GB"] * 2 if plan.accelerated else [],
        },
        "seeds": space.seeds.model_dump(),
        "choices": choices if plan.confirmed else [],
        "choice_frozen_at": frozen,
        "first_test_read_at": read,
        "confirm_asked": plan.seeds if plan.confirmed else None,
        "confirm_seeds": list(range(plan.seeds)) if plan.confirmed else [],
        "superseded": [],
    }


def _named(counts: NDArray[np.int64]) -> dict[str, int]:
    return dict(zip(CLASSES, counts.tolist(), strict=True))


def _splits(plan: Plan, split: Split) -> dict[str, Any]:
    dropped = plan.leaks == "drop"
    return {
        "train": int(TRAIN.sum()),
        "validation": int(VALIDATION.sum()),
        "test": split.size,
        "test_clean": int(split.clean.sum()),
        "dropped": {
            "leaked": _LEAKED if dropped else 0,
            "conflicting": _CONFLICTING if dropped else 0,
        },
        "train_counts": _named(TRAIN),
        "validation_counts": _named(VALIDATION),
        "test_counts": _named(np.bincount(split.truth, minlength=len(CLASSES))),
    }


def _audit(plan: Plan, split: Split) -> dict[str, Any]:
    given = TRAIN + VALIDATION
    if plan.leaks == "drop":
        given = given + np.array([15, 14, 17, 14, 14, 12])  # those that were dropped
    test = np.bincount(split.truth, minlength=len(CLASSES))
    every, leaked = given + test, int(split.leaked.sum())
    return {
        "fingerprint": _FINGERPRINT,
        "pictures": int(every.sum()),
        "channels": 1,
        "classes": list(CLASSES),
        "counts": {
            "train": _named(given),
            "validation": dict.fromkeys(CLASSES, 0),
            "test": _named(test),
        },
        "imbalance": float(every.max() / every.min()),
        "copy_groups": leaked + 92,
        "copy_pictures": 2 * (leaked + 92) + 7,
        "groups_across_splits": leaked,
        "test_in_training": leaked,
        "test_in_validation": 0,
        "conflicting_groups": int(split.conflicting.sum()) + 10,
        "conflicting_pictures": int(split.conflicting.sum()) + 20,
        "blank_contents": 1,
        "blank_pictures": max(1, int(split.blank.sum())),
        "smallest": [48, 48],
        "largest": [48, 48],
    }


def _arm(plan: Plan, space: SearchSpace, arm: str) -> dict[str, Any]:
    backbone = space.config(arm, {}).backbone
    weights = plan.weights.get(arm, space.weights)
    drawn = weights == "none"
    file = hashlib.sha256(f"{backbone}/{weights}".encode()).hexdigest()
    return {
        "value": plan.value(arm),
        "backbone": backbone,
        "weights": weights,
        "weights_sha256": None if drawn else file,
        "parameters": PARAMETERS[backbone],
    }
