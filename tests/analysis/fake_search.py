"""A plausible results folder without any training: seeded, written through fer_tune.records.

``python tests/analysis/fake_search.py FOLDER`` writes one to look at.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fake_answers
import numpy as np
from fake_answers import CLASSES
from numpy.typing import NDArray

from fer_tune.records import Results

EPOCHS = 16
RUNGS = (2, 4, 8)
_START = 1_760_000_000.0
_PARAMETERS = {"densenet161": 26_485_254, "resnet152": 58_156_102, "resnet50": 23_520_326}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to fake.

    Attributes:
        skill: share of test pictures that an arm's confirmed configuration gets right, by arm.
        study_spread, seed_spread: standard deviation of that share over studies and over seeds.
        trials: per arm (a number, or one by arm); dealt into ``replicates`` studies.
        failures: share of trials that end as ``failed``.
        confirmed: whether the confirmation has run.
        logistic: share of test pictures that the logistic regression gets right.
    """

    skill: dict[str, float] = field(
        default_factory=lambda: {"densenet161": 0.66, "resnet152": 0.62}
    )
    study_spread: float = 0.004
    seed_spread: float = 0.006
    trials: int | dict[str, int] = 12
    replicates: int = 1
    seeds: int = 5
    failures: float = 0.0
    confirmed: bool = True
    state: str = "finished"
    floors: bool = True
    logistic: float = 0.36
    pictures: int = 240
    weights: dict[str, str] = field(default_factory=dict)
    allocation: str = "equal"
    accelerated: bool = True
    seed: int = 7

    def count(self, arm: str) -> int:
        return self.trials if isinstance(self.trials, int) else self.trials[arm]


def write(folder: Path, plan: Plan | None = None, **manifest: Any) -> Path:
    """Writes the folder; keyword arguments replace top-level keys of the manifest."""
    plan = plan or Plan()
    results, rng = Results(folder), np.random.default_rng(plan.seed)
    trials: list[dict[str, Any]] = []
    epochs: list[dict[str, Any]] = []
    number = 0
    for position in range(max((plan.count(arm) for arm in plan.skill), default=0)):
        for arm in plan.skill:
            if position < plan.count(arm):
                row, curve = _trial(plan, arm, number, position % plan.replicates, rng)
                trials.append(row)
                epochs += curve
                number += 1
    choices = _choices(plan, trials)
    truth, hard = fake_answers.split(plan.pictures, rng)
    confusion: list[dict[str, Any]] = []
    predictions: list[dict[str, Any]] = []
    if plan.confirmed:
        runs = _confirm(plan, choices, trials, number, rng)
        for run, share in runs:
            answers = fake_answers.answer(truth, hard, share, rng)
            run.update(fake_answers.scores(truth, answers))
            trials.append(run)
            confusion += fake_answers.confusion(run, truth, answers)
            predictions += fake_answers.predictions(run, truth, answers)
    if plan.floors:
        majority = np.full_like(truth, np.bincount(truth).argmax())
        regression = fake_answers.answer(truth, hard, plan.logistic, rng)
        for row, answers in ((-1, majority), (-2, regression)):
            name = "majority" if row == -1 else "logistic_regression"
            who = {"trial": row, "arm": name, "replicate": 0, "cohort": "floor", "seed": 0}
            predictions += fake_answers.predictions(who, truth, answers)
    results.append("trials", trials, part="all")
    results.append("epochs", epochs, part="all")
    results.append("confusion", confusion, part="all")
    results.append("predictions", predictions, part="all")
    results.write_manifest({**_manifest(plan, choices, truth), **manifest})
    return folder


def _trial(
    plan: Plan, arm: str, number: int, replicate: int, rng: np.random.Generator
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """One trial with a curve of its kind: good, overfitting, stopped at a rung or exploding."""
    kinds = ["complete", "overfit", "pruned", "diverged"]
    kind = str(rng.choice(kinds, p=[0.3, 0.2, 0.43, 0.07]))
    if number < len(plan.skill) * plan.replicates:
        kind = "overfit"  # every study needs a trial that can be chosen
    if rng.random() < plan.failures:
        kind = "failed"
    turn = int(rng.integers(5, 10))
    length = {"complete": EPOCHS, "overfit": turn + 4, "pruned": int(rng.choice(RUNGS))}.get(
        kind, 3
    )
    epoch = np.arange(1, length + 1)
    speed = rng.uniform(0.12, 0.3)
    train = 1.79 * np.exp(-speed * epoch) + 0.15 + rng.normal(0, 0.01, length)
    val = 1.75 * np.exp(-0.8 * speed * epoch) + 0.55 + rng.normal(0, 0.015, length)
    if kind == "overfit":
        val += 0.09 * np.maximum(epoch - turn, 0)
    if kind == "diverged":
        train[-1] = val[-1] = np.nan
    f1 = plan.skill[arm] + 0.03 - 0.5 * np.exp(-0.4 * epoch) + rng.normal(0, 0.01)
    if kind == "overfit":
        f1 -= 0.015 * np.maximum(epoch - turn, 0)
    best = int(np.argmax(np.where(np.isfinite(val), f1, -1))) + 1
    who = {"trial": number, "arm": arm, "replicate": replicate, "cohort": "tpe"}
    curve = [
        {
            **who,
            "epoch": int(e),
            "train_loss": float(train[e - 1]),
            "val_loss": float(val[e - 1]),
            "val_macro_f1": float(f1[e - 1]),
            "val_accuracy": float(f1[e - 1]) + 0.01,
            "seconds": 4.0,
        }
        for e in epoch
    ]
    row = {
        **who,
        **_config(arm, rng),
        "seed": number,
        "state": kind,
        "stop_reason": _reason(kind, turn, length),
        "epochs": length,
        "max_epochs": EPOCHS,
        "best_epoch": best,
        "best_val_macro_f1": float(f1[best - 1]),
        "best_val_accuracy": float(f1[best - 1]) + 0.01,
        "best_val_loss": float(np.nanmin(val)),
        "last_val_macro_f1": float(f1[-1]),
        "onset_epoch": turn if kind == "overfit" else None,
        "generalisation_gap": float(val[best - 1] - train[best - 1]),
        **_cost(plan, length, number),
    }
    if kind == "failed":
        row.update(dict.fromkeys([k for k in row if k.startswith("best_")]))
    return row, curve


def _config(arm: str, rng: np.random.Generator) -> dict[str, Any]:
    return {
        "backbone": arm,
        "unfreeze_depth": int(rng.integers(0, 5)),
        "crop_size": int(rng.choice([48, 64, 96])),
        "augment_policy": str(rng.choice(["plain", "moderate"])),
        "optimizer": "adamw",
        "lr_head": float(10 ** rng.uniform(-4, -2)),
        "lr_backbone": float(10 ** rng.uniform(-5, -3)),
        "weight_decay": 0.01,
        "momentum": 0.9,
        "schedule": "cosine",
        "warmup_epochs": 0.0,
        "label_smoothing": float(rng.choice([0.0, 0.1])),
        "class_weights": "none",
        "dropout": 0.0,
        "batch_size": 64,
    }


def _reason(kind: str, turn: int, length: int) -> str:
    return {
        "complete": "reached its budget",
        "overfit": f"validation loss rising since epoch {turn}",
        "pruned": f"below the top third at epoch {length}",
        "diverged": "loss is not finite",
    }.get(kind, "worker died | exit code 137")


def _cost(plan: Plan, length: int, number: int) -> dict[str, Any]:
    seconds = 4.0 * length
    return {
        "started": _START + 20.0 * number,
        "seconds": seconds,
        "accelerator_seconds": seconds / 2 if plan.accelerated else 0.0,
        "cpu_seconds": seconds,
        "peak_memory_mib": 2100.0,
        "node": "node-1",
    }


def _choices(plan: Plan, trials: list[dict[str, Any]]) -> list[dict[str, Any]]:
    chosen = []
    for arm in plan.skill:
        for replicate in range(plan.replicates):
            able = [
                t
                for t in trials
                if (t["arm"], t["replicate"]) == (arm, replicate)
                and t["state"] in ("complete", "overfit")
            ]
            if able:
                best = max(able, key=lambda t: t["best_val_macro_f1"])
                chosen.append(
                    {
                        "arm": arm,
                        "replicate": replicate,
                        "trial": best["trial"],
                        "epoch": best["best_epoch"],
                        "value": best["best_val_macro_f1"],
                        "config": {},
                    }
                )
    return chosen


def _confirm(
    plan: Plan,
    choices: list[dict[str, Any]],
    trials: list[dict[str, Any]],
    number: int,
    rng: np.random.Generator,
) -> list[tuple[dict[str, Any], float]]:
    """Confirmation runs, each with the share of pictures that it gets right."""
    runs = []
    for choice in choices:
        study = plan.skill[choice["arm"]] + rng.normal(0, plan.study_spread)
        for seed in range(plan.seeds):
            chosen = next(t for t in trials if t["trial"] == choice["trial"])
            row = {**chosen, "trial": number, "cohort": "confirm", "seed": 100 + seed}
            row.update(_cost(plan, EPOCHS, number), state="complete", epochs=EPOCHS)
            runs.append((row, study + rng.normal(0, plan.seed_spread)))
            number += 1
    return runs


def _manifest(
    plan: Plan, choices: list[dict[str, Any]], truth: NDArray[np.int64]
) -> dict[str, Any]:
    leaked, conflicting = fake_answers.spoilt(truth.size)
    frozen = _START + 3000 if plan.confirmed else None
    finished = plan.state == "finished"
    counts = dict(zip(CLASSES, np.bincount(truth, minlength=6).tolist(), strict=True))
    return {
        "state": plan.state,
        "name": "fake",
        "command": ["fer-tune", "search", "fake", "--data", "faces"],
        "started": _START,
        "ended": _START + 4300 if finished else None,
        "wall_seconds": 4300.0 if finished else None,
        "startup_seconds": 11.4,
        "space": {
            "name": "fake",
            "purpose": "A made-up comparison.",
            "compare": {
                "parameter": "backbone",
                "arms": {arm: arm for arm in plan.skill},
                "allocation": plan.allocation,
                "replicates": plan.replicates,
            },
            "budget": {"trials": 24, "max_epochs": EPOCHS, "wall_time": None},
            "metric": "macro_f1",
        },
        "dataset": {
            "fingerprint": "5f3a" * 16,
            "audit": {
                "pictures": 5000,
                "fingerprint": "5f3a" * 16,
                "classes": list(CLASSES),
                "counts": {
                    part: dict.fromkeys(CLASSES, number)
                    for part, number in (("train", 650), ("validation", 0), ("test", 180))
                },
                "imbalance": 3.7,
                "copy_groups": 153,
                "groups_across_splits": 61,
                "test_in_training": 66,
                "conflicting_groups": 13,
                "blank_pictures": 1,
                "smallest": [48, 48],
            },
        },
        "classes": list(CLASSES),
        "splits": {
            "train": 3400,
            "validation": 850,
            "test": plan.pictures,
            "test_clean": int((~(leaked | conflicting)).sum()),
            "dropped": {"leaked": 66, "conflicting": 20},
            "train_counts": {name: 5 * n for name, n in counts.items()},
            "validation_counts": counts,
            "test_counts": counts,
        },
        "arms": {
            arm: {
                "value": arm,
                "backbone": arm,
                "weights": plan.weights.get(arm, "imagenet-v1"),
                "parameters": _PARAMETERS.get(arm, 10_000_000),
            }
            for arm in plan.skill
        },
        "versions": {"python": "3.11.7", "fer_tune": "0.1.0", "ray": "2.50.0", "torch": "2.9.0"},
        "hardware": {"nodes": 1, "cpu": 8, "accelerator": "one of 24 GB"},
        "seeds": {"search": 1, "split": 2, "views": 3, "weights": 4},
        "choices": choices if plan.confirmed else [],
        "choice_frozen_at": frozen,
        "first_test_read_at": frozen + 60 if frozen else None,
        "confirm_seeds": [100 + seed for seed in range(plan.seeds)],
    }


if __name__ == "__main__":
    write(Path(sys.argv[1]))
